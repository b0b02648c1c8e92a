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

from media.music.library import MusicLibrary
from media.wav import WavProblem
from provisioning.metrics_port import serve_metrics
from switch.calls.voicemail import PRODUCT
from switch.conf_values import Address
from switch.conf_voicemail import Voicemail
from switch.sip.counts import SipCounts
from switch.sip.flow import UDP, Flow
from switch.sip.host import host_port
from switch.sip.stack import Stack
from switch.sip.timers import TimerQueue
from switch.sip.tokens import Tokens
from switch.transport.alarm import Alarm
from switch.transport.udp import UdpListener
from voicemail.account_prompts import FOLDER as PROMPTS_FOLDER
from voicemail.account_prompts import AccountPrompts
from voicemail.clips import Catalogue, Clips
from voicemail.conference import Conferences
from voicemail.counts import VoicemailCounts
from voicemail.deposit import DepositRule
from voicemail.files import StoreProblem
from voicemail.front_door import FrontDoor
from voicemail.house import House
from voicemail.mail_queue import MailQueue, SmtpSender
from voicemail.mailbox import Counts, LockOutRule, Message, Quota
from voicemail.metrics import VoicemailCollector
from voicemail.publish import Publisher
from voicemail.reception import Reception
from voicemail.rtp_port import RtpCounts
from voicemail.store import Store
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
        music: MusicLibrary,
        zone: tzinfo,
    ) -> None:
        """`switches` are the addresses that requests of the switch come from; the first is told what waits.

        `zone` is that of the times that are spoken and written.
        """
        assert conf.sip is not None and switches
        self.conf = conf
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
        self.own_prompts = AccountPrompts(data / PROMPTS_FOLDER)
        self.music = music
        self.clips = Clips(catalogue, self.store, music=music, own=self.own_prompts)
        self.conferences = Conferences(conf.conferences_max)
        self._rule = DepositRule(
            message_max_s=conf.message_max_s,
            message_min_s=conf.message_min_s,
            silence_end_s=conf.silence_end_s,
        )
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="voicemail")
        # One thread, so that of two looks at a mailbox the later one is told last; and calls wait for none of them.
        self._lookout = ThreadPoolExecutor(1, thread_name_prefix="mailboxes")
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
        self.reception: Reception
        self._ticker: Ticker

    @staticmethod
    def now() -> float:
        return time.monotonic()

    # Starting

    async def start(self) -> None:
        """Everything up to the first datagram. Raises OSError for a port in use."""
        self._loop = asyncio.get_running_loop()
        await self._loop.run_in_executor(self._executor, self._recover)
        sip = self.conf.sip
        assert sip is not None
        self._listener = UdpListener(
            sip.host, sip.port, received=self._received, turn_over=self._finish_batch
        )
        self._mail = self._make_mail_queue()
        self._house = House(
            loop=self._loop,
            executor=self._executor,
            store=self.store,
            clips=self.clips,
            door=self._door,
            counts=self.counts,
            rtp_counts=self.rtp_counts,
            message_max_s=self.conf.message_max_s,
            now=self.now,
            random_bytes=os.urandom,
            before_message=self._before_message,
            mailbox_changed=self._mailbox_changed,
            turn_over=self._finish_turn,
            conferences=self.conferences,
        )
        self._make_stack()
        self._ticker = Ticker(self._loop, self._tick, lateness=self.counts.tick_lateness)
        self.reception.ticker = self._ticker
        metrics = self.conf.metrics
        if metrics is not None:
            serve_metrics(VoicemailCollector(self), metrics.host, metrics.port)
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
        finished, removed = self.store.recover(spoken_min_s=self.conf.message_min_s)
        self.counts.recovered, self.counts.removed = finished, removed
        if finished or removed:
            log.warning("voicemail_recovered", finished=finished, removed=removed)

    def _make_mail_queue(self) -> MailQueue | None:
        conf = self.conf
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

    def _make_stack(self) -> None:
        tokens = Tokens(os.urandom)
        self.reception = self._make_reception(tokens)
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
        self._agent = UserAgent(tokens, self.reception, server=product, on_probe=self.publisher.heard_switch)
        self._stack = Stack(
            tokens, self._timers, self._agent, sent_by=lambda _flow: own, counts=self.sip_counts
        )
        self._agent.stack = self.reception.stack = self.publisher.stack = self._stack
        self.reception.agent = self._agent

    def _make_reception(self, tokens: Tokens) -> Reception:
        return Reception(
            self.conf,
            house=self._house,
            wording=self._wording,
            rule=self._rule,
            host=self._listener.host,
            port=self._listener.port,
            timers=self._timers,
            tokens=tokens,
        )

    # Turns

    def _received(self, data: bytes, flow: Flow) -> None:
        """Only the switch is served: it has authenticated who may hear a mailbox."""
        if (flow.remote_host, flow.remote_port) not in self._switches:
            self.sip_counts.drop("not the switch")
            return
        try:
            self._stack.receive(data, flow, self.now())
        except Exception:  # the border: other callers' sessions go on
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
        goes_on = self.reception.tick(self.now())
        self._finish_turn()
        return goes_on

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
        await self._loop.run_in_executor(self._executor, self.clips.prepare, lambda: not self._is_stopping)

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
        self.reception.close(self.now())
        self._finish_turn()
        deadline = self.now() + STOP_WAIT_S
        while (self.reception.is_busy or self._agent.dialogs_count) and self.now() < deadline:
            await asyncio.sleep(0.05)
        self._ticker.stop()
        self._alarm.cancel()
        self._listener.close()
        for executor in (self._executor, self._lookout):
            executor.shutdown(wait=False, cancel_futures=True)
        log.info("voicemail_stopped")
