"""The voicemail server as a process: sockets, the clock, the ticker, threads for files. Wiring, no decisions."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Final

import structlog

from media.wav import WavProblem
from switch.calls.voicemail import PRODUCT
from switch.conf_values import Address
from switch.conf_voicemail import Voicemail
from switch.sip.counts import SipCounts
from switch.sip.dialog import Dialog
from switch.sip.flow import UDP, Flow
from switch.sip.host import host_port
from switch.sip.invite_server import InviteServerTransaction
from switch.sip.message import Request
from switch.sip.stack import Stack
from switch.sip.timers import TimerQueue
from switch.sip.tokens import Tokens
from switch.transport.alarm import Alarm
from switch.transport.udp import UdpListener
from voicemail.announcement import Announcement
from voicemail.clips import Catalogue, Clips
from voicemail.counts import VoicemailCounts
from voicemail.deposit import Deposit, DepositRule
from voicemail.files import StoreProblem
from voicemail.front_door import FrontDoor
from voicemail.house import House
from voicemail.mail_queue import MailQueue, SmtpSender
from voicemail.mailbox import Counts, LockOutRule, Message, Quota
from voicemail.menu import Menu
from voicemail.metrics import serve_metrics
from voicemail.publish import Publisher
from voicemail.rtp_port import RtpCounts, RtpPort
from voicemail.session import Machine, Session
from voicemail.sip_call import SipCall, contact_at
from voicemail.store import Store
from voicemail.target import (
    AnnouncementOf,
    DepositFor,
    RetrievalBy,
    called_number,
    caller_of,
    reason_of,
    target_of,
)
from voicemail.ticker import Ticker
from voicemail.user_agent import UserAgent
from voicemail.wording import Wording

# Threads wait for disks, not for the processor: enough that a slow fsync of some calls does not hold up the others.
THREADS: Final = 16
TIMER_SLACK_S: Final = 0.002
# A change by a command is told to the lamps within this; each look is one stat() for each mailbox, in a thread.
WATCH_S: Final = 3.0
SWEEP_S: Final = 3600.0
STOP_WAIT_S: Final = 5.0

log = structlog.get_logger("voicemail")


class VoicemailProcess:
    """`start`, then until stopped, then `stop`."""

    def __init__(
        self,
        data: Path,
        conf: Voicemail,
        switches: list[Address],
        *,
        catalogue: Catalogue,
        zone: tzinfo,
    ) -> None:
        """`switches` are the addresses that requests of the switch come from; the first is told what waits.

        `zone` is that of the times that are spoken and written.
        """
        assert conf.sip is not None and switches
        self._conf = conf
        self._switches = {(address.host, address.port) for address in switches}
        self._wording = Wording(lambda: datetime.now(zone))
        self._zone = zone
        self._told = switches[0]
        self.counts = VoicemailCounts()
        self.sip_counts = SipCounts()
        self.rtp_counts = RtpCounts()
        lock_out = LockOutRule(conf.pin_attempts, conf.lock_out_minutes)
        house_quota = Quota(conf.messages_max, conf.mailbox_max_s, conf.retention_days)
        self.store = Store(data / "voicemail", house=house_quota, lock_out=lock_out)
        self._door = FrontDoor(self.store, lock_out)
        self._clips = Clips(catalogue, self.store)
        self._rule = DepositRule(
            message_max_s=conf.message_max_s,
            message_min_s=conf.message_min_s,
            silence_end_s=conf.silence_end_s,
        )
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="voicemail")
        # One thread, so that of two looks at a mailbox the later one is told last; and calls wait for none of them.
        self._lookout = ThreadPoolExecutor(1, thread_name_prefix="mailboxes")
        self.sessions: set[Session] = set()
        self._timers = TimerQueue()
        self._alarm = Alarm(self._run_timers, now=self.now, slack_s=TIMER_SLACK_S)
        self._is_stopping = False
        self._mail: MailQueue | None = None
        self._seen: dict[str, int] = {}  # when each mailbox was last seen to change
        self._tasks: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop
        self._listener: UdpListener
        self._stack: Stack
        self._agent: UserAgent
        self.publisher: Publisher
        self._house: House
        self._ticker: Ticker

    @staticmethod
    def now() -> float:
        return time.monotonic()

    # Starting

    async def start(self) -> None:
        """Everything up to the first datagram. Raises OSError for a port in use."""
        self._loop = asyncio.get_running_loop()
        await self._loop.run_in_executor(self._executor, self._recover)
        sip = self._conf.sip
        assert sip is not None
        self._listener = UdpListener(
            sip.host, sip.port, received=self._received, turn_over=self._finish_batch
        )
        self._make_stack()
        self._mail = self._make_mail_queue()
        self._house = House(
            loop=self._loop,
            executor=self._executor,
            store=self.store,
            clips=self._clips,
            door=self._door,
            counts=self.counts,
            rtp_counts=self.rtp_counts,
            message_max_s=self._conf.message_max_s,
            now=self.now,
            random_bytes=os.urandom,
            before_message=self._before_message,
            mailbox_changed=self._mailbox_changed,
            turn_over=self._finish_turn,
        )
        self._serve_metrics()
        self._ticker = Ticker(self._loop, self._tick, lateness=self.counts.tick_lateness)
        self._listener.start(self._loop)
        self.publisher.start(self.now())
        self._tasks = [
            self._loop.create_task(self._watch(), name="watch mailboxes"),
            self._loop.create_task(self._sweep(), name="sweep mailboxes"),
            self._loop.create_task(self._prepare_prompts(), name="prepare prompts"),
        ]
        if self._mail is not None:
            self._tasks.append(self._loop.create_task(self._mail.run(), name="mail"))
        self._finish_turn()
        log.info(
            "voicemail_ready",
            sip=host_port(self._listener.host, self._listener.port),
            mailboxes=len(self._seen),
            switch=str(self._told),
        )

    def _recover(self) -> None:
        self.store.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        finished, removed = self.store.recover(spoken_min_s=self._conf.message_min_s)
        self.counts.recovered, self.counts.removed = finished, removed
        if finished or removed:
            log.warning("voicemail_recovered", finished=finished, removed=removed)

    def _make_mail_queue(self) -> MailQueue | None:
        conf = self._conf
        if not conf.sends_mail:
            return None
        return MailQueue(
            self.store,
            send=SmtpSender(conf),
            sender=conf.smtp_from,
            zone=self._zone,
            counts=self.counts,
            executor=self._executor,
            changed=self._mailbox_changed,
        )

    def _serve_metrics(self) -> None:
        address = self._conf.metrics
        if address is None:
            return
        try:
            serve_metrics(self, address)
        except OSError as problem:  # callers are served without them
            log.error("voicemail_metrics_unserved", address=str(address), problem=str(problem))

    def _make_stack(self) -> None:
        tokens = Tokens(os.urandom)
        host, port = self._listener.host, self._listener.port
        own = host_port(host, port)
        product = f"{PRODUCT} ({tokens.tag()})"  # this life of it
        self.publisher = Publisher(
            Flow(UDP, self._told.host, self._told.port, host, port),
            own_host=own,
            tokens=tokens,
            timers=self._timers,
            counts=self.counts,
            user_agent=product,
        )
        self._agent = UserAgent(tokens, self._new_call, server=product, on_probe=self.publisher.heard_switch)
        self._stack = Stack(
            tokens, self._timers, self._agent, sent_by=lambda _flow: own, counts=self.sip_counts
        )
        self._agent.stack = self._stack
        self.publisher.stack = self._stack

    # Turns

    def _received(self, data: bytes, flow: Flow) -> None:
        """Only the switch is served: it has authenticated who may hear a mailbox."""
        if (flow.remote_host, flow.remote_port) not in self._switches:
            self.sip_counts.drop("not the switch")
            return
        try:
            self._stack.receive(data, flow, self.now())
        except Exception:
            self.counts.bugs += 1
            log.exception("voicemail_bug")

    def _finish_batch(self) -> None:
        now = self.now()
        deadline = self._timers.next_deadline()
        if deadline is not None and deadline <= now:
            self._timers.run(now)
        self._finish_turn()

    def _finish_turn(self) -> None:
        outgoing = self._stack.outgoing
        for flow, data in outgoing:
            self._listener.send(data, flow.remote_host, flow.remote_port)
        outgoing.clear()
        self._alarm.set(self._timers.next_deadline())

    def _run_timers(self) -> None:
        self._timers.run(self.now())
        self._finish_turn()

    def _tick(self) -> bool:
        """Every 20 ms while there are calls."""
        now = self.now()
        for session in list(self.sessions):
            try:
                session.tick(now)
            except Exception:  # noqa: BLE001 - the border: logged and counted there
                self.session_broken(session)
        self._finish_turn()
        return bool(self.sessions)

    def session_broken(self, session: Session) -> None:
        """A bug ends its call, and no other."""
        if session not in self.sessions:
            return
        now = self.now()
        self.counts.bugs += 1
        log.exception("voicemail_bug", kind=session.kind)
        self.sessions.discard(session)
        session.abandon(now)
        self._agent.forget(session.call)
        self._finish_turn()

    # Calls

    def _new_call(
        self, transaction: InviteServerTransaction, request: Request, dialog: Dialog, now: float
    ) -> SipCall | int:
        target = target_of(request)
        if target is None:
            self.counts.refuse("unknown")
            return 404
        if len(self.sessions) >= self._conf.calls_max:
            self.counts.refuse("calls_max")
            return 503
        machine, kind, draft = self._machine_for(target, request)
        assert self._conf.sip is not None
        try:
            rtp = RtpPort(self._listener.host, loop=self._loop, counts=self.rtp_counts)
        except OSError as problem:
            log.error("voicemail_no_port", problem=str(problem))
            self.counts.refuse("no_port")
            return 503
        session = Session(machine, kind=kind, house=self._house, rtp=rtp, owner=self, draft=draft, now=now)
        session.call = SipCall(
            self._stack,
            transaction,
            dialog,
            contact=contact_at(self._listener.host, self._listener.port),
            host=rtp.host,
            port=rtp.port,
            session_id=int.from_bytes(os.urandom(4), "big"),
            owner=session,
        )
        if not session.call.read_offer(request, now):
            rtp.close()
            self.counts.refuse("media")
            return 488
        rtp.received = session.receive
        self.sessions.add(session)
        self.counts.call(kind)
        session.start(now)
        self._ticker.start()
        return session.call

    def _machine_for(
        self, target: DepositFor | RetrievalBy | AnnouncementOf, request: Request
    ) -> tuple[Machine, str, Message | None]:
        match target:
            case AnnouncementOf(prompt=prompt, status=status, cause=cause):
                return Announcement(prompt, status=status, cause=cause), "announcement", None
            case RetrievalBy(user=user):
                menu = Menu(user, self._wording, greeting_max_s=self._conf.greeting_max_s)
                return menu, "retrieval", None
            case DepositFor(user=user):
                number, name = caller_of(request)
                draft = Message(
                    id="",
                    received_ms=0,
                    duration_ms=0,
                    caller=number,
                    name=name,
                    called=called_number(request),
                    reason=reason_of(request),
                    call_id=request.call_id[:200],
                )
                return Deposit(user, self._rule), "deposit", draft

    def session_over(self, session: Session) -> None:
        self.sessions.discard(session)
        self._agent.forget(session.call)
        self._finish_turn()

    # Mailboxes

    def _before_message(self, user: str) -> Callable[[Message], None]:
        mail = self._mail
        if mail is None:
            return lambda _message: None
        return lambda message: mail.enqueue(user, message)

    def _mailbox_changed(self, user: str) -> None:
        """Count again, in a thread, and tell the switch."""
        if not user:
            return
        future = self._loop.run_in_executor(self._lookout, self._look_at, user)
        future.add_done_callback(self._looked)

    def _look_at(self, user: str) -> tuple[str, int, Counts] | None:
        try:
            changed_at = self.store.changed_at_ns(user)
            return user, changed_at, self.store.counts(user)
        except (OSError, StoreProblem, WavProblem) as problem:
            log.error("voicemail_unreadable", user=user, problem=str(problem))
            return None

    def _looked(self, future: asyncio.Future[tuple[str, int, Counts] | None]) -> None:
        found = None if future.cancelled() else future.result()
        if found is not None:
            user, changed_at, counts = found
            self._seen[user] = changed_at
            self.publisher.found(user, counts, self.now())
            self._finish_turn()

    async def _watch(self) -> None:
        """What changed on the disk without us."""
        while True:
            changed = await self._loop.run_in_executor(self._lookout, self._changed_users, dict(self._seen))
            for user in changed:
                self._mailbox_changed(user)
            self.counts.messages["new"], self.counts.messages["old"] = self.publisher.totals()
            await asyncio.sleep(WATCH_S)

    def _changed_users(self, seen: dict[str, int]) -> list[str]:
        try:
            return [user for user in self.store.users() if self.store.changed_at_ns(user) != seen.get(user)]
        except OSError as problem:
            log.error("voicemail_unreadable", problem=str(problem))
            return []

    async def _prepare_prompts(self) -> None:
        """Until then a prompt is encoded when it is first played, in a thread."""
        await self._loop.run_in_executor(self._executor, self._clips.prepare, lambda: not self._is_stopping)

    async def _sweep(self) -> None:
        """What has been kept for long enough."""
        while True:
            self.counts.expired += await self._loop.run_in_executor(self._executor, self._delete_expired)
            await asyncio.sleep(SWEEP_S)

    def _delete_expired(self) -> int:
        gone = 0
        for user in self.store.users():
            try:
                gone += self.store.delete_expired(user)
            except (OSError, StoreProblem) as problem:
                log.error("voicemail_unreadable", user=user, problem=str(problem))
        return gone

    # Stopping

    async def stop(self) -> None:
        """End the calls, keep what was said."""
        self._is_stopping = True  # a thread that is encoding would keep the process for seconds
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for session in list(self.sessions):
            session.end(self.now())
        self._finish_turn()
        deadline = self.now() + STOP_WAIT_S
        while (self.sessions or self._agent.dialogs_count) and self.now() < deadline:
            await asyncio.sleep(0.05)
        self._ticker.stop()
        self._alarm.cancel()
        self._listener.close()
        for executor in (self._executor, self._lookout):
            executor.shutdown(wait=False, cancel_futures=True)
        log.info("voicemail_stopped")
