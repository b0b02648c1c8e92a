"""The control socket: what a running switch shows and does for the operator, one JSON object a line.

    {"command": "calls"}  ->  {"ok": true, "result": [...]}  or  {"ok": false, "error": "..."}

The socket is 0600 in the data directory: whoever may open it is the operator. Questions are answered from memory.
"""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from provisioning.model import Account
from provisioning.printable import shorten
from provisioning.settings import WITHHELD
from provisioning.socket_path import short_socket_path
from provisioning.storable import storable
from rating.records import MediaFigures
from switch.bundle_view import live_bundles
from switch.buying_metrics import deck_rows, quality_rows
from switch.calls.call import Call
from switch.calls.call_state import CallState
from switch.calls.called_for_lines import call_for
from switch.calls.explain import Question, QuestionError, explain
from switch.calls.identity import LineCaller
from switch.calls.parking import ParkedCall
from switch.calls.privacy import hides_caller
from switch.calls.tracing import BY_OPERATOR, mark_last_call
from switch.door.sources import read_ban_address
from switch.live_records import LiveQuestion, live_media, live_records
from switch.queue_metrics import queue_rows
from switch.relay.view import Stream, streams
from switch.safety_view import account_safety, fraud_bars
from switch.service_metrics import reminder_rows
from switch.sip.flow import Flow
from switch.sip.host import host_port
from switch.status import status_of
from switch.trace_view import call_trace, refused_invites, trace_status
from switch.waiting_view import WaitingMessages, waiting_messages

if TYPE_CHECKING:
    from switch.process import SwitchProcess

REQUEST_BYTES_MAX = 64 * 1024
CLIENTS_MAX = 16  # people and scripts; more is a leak
IDLE_S = 30.0
BAN_MIN_S = 1
BAN_MAX_S = 366 * 86_400  # what is meant for ever belongs in a firewall


class ControlRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One question. Which of the arguments count depends on the command."""

    command: str
    call_id: str = ""
    name: str = ""
    user: str = ""
    address: str = ""
    for_s: int = 0
    question: Question | None = None
    live: LiveQuestion = LiveQuestion()


class ControlRefusedError(Exception):
    """The operator's question cannot be answered; the text says why."""


class LiveCall(msgspec.Struct):
    """A row of `offhook calls`. `cost_micros` is what it would cost all who pay for it if it ended now.

    `cli` is the network number, or "withheld". `account` is the caller's ("" for a carrier), `account_id` that of who
    pays (None for nobody).
    """

    call_id: str
    state: str
    started_at_ms: int
    caller: str
    cli: str
    dialled: str
    destination: str
    account: str
    account_id: int | None
    duration_s: int
    cost_micros: int
    granted_s: int | None
    is_emergency: bool


class Registration(msgspec.Struct):
    """A row of `offhook registrations`. `reg_id` 0: not one of several flows; `path_hops`: proxies in between."""

    user: str
    contact: str
    source: str
    expires_in_s: int
    user_agent: str
    is_behind_nat: bool
    is_dead: bool
    instance: str
    reg_id: int
    path_hops: int


class BannedSource(msgspec.Struct):
    """A row of `offhook bans`. `line` is the one that the source may not log in as, "" for all.

    `users` are the first names that were tried, as they came from the wire.
    """

    source: str
    line: str
    reason: str
    failures: int
    users: list[str]
    since_ms: int
    until_ms: int
    times: int


class WatchedLine(msgspec.Struct):
    """A row of `offhook subscriptions`. `notifies` counts since the process started."""

    watcher: str
    package: str
    resource: str
    contact: str
    source: str
    expires_in_s: int
    notifies: int
    is_waiting: bool


def _state_of(call: Call) -> str:
    """A parked call says where."""
    parked = call.retarget
    return f"parked at {parked.slot}" if isinstance(parked, ParkedCall) else call.state.value


class Control:
    """Serves the control socket."""

    def __init__(self, process: "SwitchProcess") -> None:
        self._process = process
        self._server: asyncio.Server | None = None
        self._clients = 0
        self._commands: dict[str, Callable[[ControlRequest], Any]] = {
            "status": self._status,
            "call": self._call,
            "calls": self._calls,
            "end_call": self._end_call,
            "registrations": self._registrations,
            "subscriptions": self._subscriptions,
            "messages": self._messages,
            "reminders": lambda _request: reminder_rows(self._process.exchange),
            "account": self._account,
            "bans": self._bans,
            "ban": self._ban,
            "lift_ban": self._lift_ban,
            "fraud_bars": lambda _request: fraud_bars(self._process.exchange),
            "clear_alarms": self._clear_alarms,
            "mark_last_call": self._mark_last_call,
            "explain": self._explain,
            "route_quality": lambda _request: quality_rows(
                self._process.exchange.trunks.qualities, self._process.now()
            ),
            "decks": lambda _request: deck_rows(self._process.exchange),
            "call_trace": lambda request: call_trace(self._process.exchange.tracer, request.call_id),
            "live_records": lambda request: live_records(
                self._process.exchange.board, request.live, self._process.now()
            ),
            "refused_invites": lambda request: refused_invites(
                self._process.exchange.tracer, request.call_id
            ),
            "keep_trace": self._keep_trace,
            "trace_status": lambda _request: trace_status(self._process),
            "queues": lambda _request: queue_rows(self._process.exchange.board, self._process.now()),
        }

    async def start(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        with short_socket_path(path) as short:
            self._server = await asyncio.start_unix_server(self._serve, short, limit=REQUEST_BYTES_MAX)
        path.chmod(0o600)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), 1.0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            if self._clients <= CLIENTS_MAX:
                await self._converse(reader, writer)
        except (OSError, ValueError, TimeoutError):
            pass  # the client went away, sent too long a line, or fell asleep
        finally:
            self._clients -= 1
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await asyncio.wait_for(reader.readline(), IDLE_S):
            writer.write(msgspec.json.encode(await self._answer(line)) + b"\n")
            await writer.drain()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = msgspec.json.decode(line, type=ControlRequest)
            if request.command == "reload":
                return {"ok": True, "result": await self._process.reload()}
            if request.command == "relay":
                return {"ok": True, "result": await self._relay()}
            if request.command == "live_media":
                return {"ok": True, "result": await self._live_media(request.call_id)}
            command = self._commands.get(request.command)
            if command is None:
                known = ", ".join(("reload", "relay", "live_media", *self._commands))
                raise ControlRefusedError(f"unknown command {request.command!r}: expected {known}")
            return {"ok": True, "result": command(request)}
        except (ControlRefusedError, msgspec.MsgspecError) as problem:
            return {"ok": False, "error": str(problem)}

    async def _relay(self) -> list[Stream]:
        relay = self._process.exchange.relay
        if relay is None:
            raise ControlRefusedError("this exchange has no relay: [media] relay = false")
        if not relay.is_here:
            raise ControlRefusedError("the relay does not answer; calls go on without it until it is back")
        await self._process.ask_relay()
        return streams(relay)

    async def _live_media(self, call_id: str) -> list[MediaFigures]:
        """What the relay has counted so far of a call that is up; nothing without a relay."""
        relay = self._process.exchange.relay
        if relay is None or not relay.is_here or call_id not in self._process.exchange.board.calls:
            return []
        await self._process.ask_relay()
        return live_media(relay, call_id, self._process.exchange.board.clock.ms(self._process.now()))

    def _status(self, request: ControlRequest) -> dict[str, object]:
        return status_of(self._process)

    def _call(self, request: ControlRequest) -> str:
        """A call for a line; what becomes of it is on its record."""
        exchange = self._process.exchange
        if request.user not in exchange.books.lines:
            raise ControlRefusedError(f"the switch knows no line {shorten(request.user)!r}")
        asked: list[bool] = []
        self._process.turns.take(
            lambda now: asked.append(call_for(request.user, request.name, exchange.services.out_calls, now))
        )
        if not asked[0]:
            raise ControlRefusedError("the media server (voicemail) is not there, or has too much to call")
        return request.user

    def _calls(self, request: ControlRequest) -> list[LiveCall]:
        now = self._process.now()
        return [self._live_call(call, now) for call in self._process.exchange.board.calls.values()]

    def _live_call(self, call: Call, now: float) -> LiveCall:
        leg = call.caller_leg
        caller = call.caller
        caller_id = call.attempt.caller_id
        account = caller.account if isinstance(caller, LineCaller) else None
        answered_at = leg.answered_at
        duration_ms = 0 if answered_at is None else round((now - answered_at) * 1000)
        return LiveCall(
            call_id=call.id,
            state=_state_of(call),
            started_at_ms=self._process.exchange.board.clock.ms(leg.setup_at),
            caller=caller.line.user if isinstance(caller, LineCaller) else caller.trunk.name,
            cli=WITHHELD if hides_caller(call) else caller_id.network_number,
            dialled=call.attempt.dialled[:128],
            destination=call.destination[:128],
            account=account.name if account is not None else "",
            account_id=call.admission.price.account_id if call.admission is not None else None,
            duration_s=duration_ms // 1000,
            cost_micros=sum(meter.cost_micros(now) for meter in call.meters),
            granted_s=min((meter.granted_s for meter in call.meters), default=None),
            is_emergency=call.admission is not None and call.admission.route.is_emergency,
        )

    def _end_call(self, request: ControlRequest) -> str:
        call = self._process.exchange.board.calls.get(request.call_id)
        if call is None or call.state is CallState.ENDED:
            raise ControlRefusedError(f"no live call {request.call_id!r}: `offhook calls` lists them")
        self._process.turns.take(
            lambda now: call.hang_up(now, words="the operator ended the call", ended_by="operator")
        )
        return call.id

    def _mark_last_call(self, request: ControlRequest) -> str:
        """The call's id; who called stands in the books alone."""
        board = self._process.exchange.board
        line = board.books.lines.get(request.user)
        if line is None:
            raise ControlRefusedError(f"the switch knows no line {shorten(request.user)!r}")
        marked: list[str] = []

        def mark(now: float) -> None:
            last = mark_last_call(line, board, now, marked_by=BY_OPERATOR)
            marked.extend([] if last is None else [last.call_id])

        self._process.turns.take(mark)
        if not marked:
            raise ControlRefusedError("no call to this line since the exchange was started")
        return marked[0]

    def _registrations(self, request: ControlRequest) -> list[Registration]:
        now = self._process.now()
        return [
            Registration(
                user=binding.user,
                contact=binding.contact,
                source=_remote(binding.flow),
                expires_in_s=int(binding.expires_at - now),
                user_agent=binding.user_agent,
                is_behind_nat=binding.is_behind_nat,
                is_dead=binding.is_dead,
                instance=binding.instance,
                reg_id=binding.reg_id,
                path_hops=len(binding.path),
            )
            for binding in self._process.exchange.bindings
            if binding.expires_at > now and request.user in ("", binding.user)
        ]

    def _subscriptions(self, request: ControlRequest) -> list[WatchedLine]:
        now = self._process.now()
        return [
            WatchedLine(
                watcher=subscription.watcher,
                package=subscription.package.name,
                resource=subscription.resource,
                contact=subscription.dialog.remote_target,
                source=_remote(subscription.dialog.flow),
                expires_in_s=int(subscription.expires_at - now),
                notifies=subscription.notifies,
                is_waiting=subscription.is_waiting,
            )
            for subscription in self._process.exchange.events.notifier.subscriptions.values()
            if request.user in ("", subscription.watcher)
        ]

    def _messages(self, request: ControlRequest) -> list[WaitingMessages]:
        return waiting_messages(self._process.exchange.messaging.waiting, request.user)

    def _account_named(self, name: str) -> Account:
        accounts = self._process.exchange.books.accounts.values()
        account = next((known for known in accounts if known.name == name), None)
        if account is None:
            raise ControlRefusedError(f"the switch knows no account {name!r}")
        return account

    def _clear_alarms(self, request: ControlRequest) -> bool:
        account = self._account_named(request.name)
        done: list[bool] = []
        safety = self._process.exchange.board.safety
        self._process.turns.take(lambda now: done.append(safety.clear(account.id, now)))
        return done[0]

    def _account(self, request: ControlRequest) -> dict[str, object]:
        exchange = self._process.exchange
        account = self._account_named(request.name)
        totals = exchange.engine.totals(account.id)
        if totals is None:
            raise ControlRefusedError(f"the switch knows no account {request.name!r}")
        return {
            "balance_micros": totals.balance_micros,
            "reserved_micros": totals.reserved_micros,
            "available_micros": totals.available_micros,
            "credit_seq": totals.credit_seq,
            "live_calls": exchange.board.of_account[account.id],
            "bundles": live_bundles(exchange, account.id, exchange.board.clock.ms(self._process.now())),
            **account_safety(exchange, account),
        }

    def _bans(self, request: ControlRequest) -> list[BannedSource]:
        now = self._process.now()
        ms = self._process.exchange.board.clock.ms
        return [
            BannedSource(
                source=ban.source,
                line=storable(ban.user),
                reason=ban.reason.value,
                failures=ban.failures,
                users=[storable(user) for user in ban.users],
                since_ms=ms(ban.since),
                until_ms=ms(ban.until),
                times=ban.times,
            )
            for ban in self._process.exchange.door.bans
            if ban.until > now
        ]

    def _ban(self, request: ControlRequest) -> str:
        source = _source(request.address)
        if not BAN_MIN_S <= request.for_s <= BAN_MAX_S:
            raise ControlRefusedError(f"{request.for_s} s: expected {BAN_MIN_S} to {BAN_MAX_S}")
        done: list[bool] = []
        door = self._process.exchange.door
        self._process.turns.take(lambda now: done.append(door.ban(source, request.for_s, now) is not None))
        if not done[0]:
            raise ControlRefusedError("the list of bans is full: `offhook bans lift --all` empties it")
        return source

    def _lift_ban(self, request: ControlRequest) -> int:
        """How many are gone; without an address, all of them."""
        source = _source(request.address) if request.address else ""
        gone: list[int] = []
        self._process.turns.take(lambda _now: gone.append(self._process.exchange.door.lift(source)))
        if source and not gone[0]:
            raise ControlRefusedError(f"{source} is not banned: `offhook bans` lists who is")
        return gone[0]

    def _keep_trace(self, request: ControlRequest) -> str:
        if not self._process.exchange.tracer.ask(request.call_id):
            raise ControlRefusedError(
                f"the messages of call {shorten(request.call_id)!r} are not in memory, or there is no room to keep them"
            )
        return request.call_id

    def _explain(self, request: ControlRequest) -> list[str]:
        """What a call would do, a step a line."""
        if request.question is None:
            raise ControlRefusedError("explain: expected a question")
        try:
            return explain(request.question, self._process.exchange.board, self._process.now())
        except QuestionError as problem:
            raise ControlRefusedError(str(problem)) from None


def _source(address: str) -> str:
    source = read_ban_address(address)
    if source is None:
        expected = "an IPv4 or IPv6 address, or a source as `offhook bans` shows it"
        raise ControlRefusedError(f"{shorten(address)!r}: expected {expected}")
    return source


def _remote(flow: Flow) -> str:
    return f"{flow.transport.lower()}:{host_port(flow.remote_host, flow.remote_port)}"
