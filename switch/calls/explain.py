"""What a call would do, told step by step without one: `offhook route explain`.

An attempt is read and admitted by the functions that live calls use, at another time if that is asked; a plan is walked
by the machine that walks it for them. Trunks and phones are as they are now, whatever the time. Nothing is sent,
reserved or recorded, and what admission counts is put back.
"""

from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Final, assert_never

import msgspec

from provisioning.model import Line, Number
from provisioning.printable import escape_control
from rating.charge import charge_billed
from rating.money import format_pounds
from switch.calls import refusal
from switch.calls.admission import admit
from switch.calls.attempt import Attempt, read_attempt
from switch.calls.call_rates import CallRates
from switch.calls.identity import ANONYMOUS, Caller, LineCaller, TrunkCaller
from switch.calls.number_plan import (
    DIALLED_CHARS_MAX,
    E164,
    Emergency,
    ServiceCode,
    Short,
    Unrecognised,
    format_number,
    read_dialled,
)
from switch.calls.plan_facts import CallFacts
from switch.calls.refusal import Refusal
from switch.calls.switchboard import Switchboard, WallClock
from switch.calls.target import LineTarget, TrunkTarget, VoicemailTarget
from switch.calls.terms import Admission, Price, Route
from switch.config import IdentityHeader
from switch.journey.moves import (
    Announce,
    Came,
    Deposit,
    Menu,
    Move,
    Pressed,
    Queue,
    Refuse,
    Result,
    Ring,
)
from switch.journey.plan_walk import PlanWalk
from switch.sip.errors import SipParseError
from switch.sip.headers import Headers
from switch.sip.message import Request
from switch.sip.uri import escape_user

WITHHELD: Final = "withheld"
ANSWERED: Final = "answered"
# What a condition may be for, besides a line or a number by its name.
KINDS: Final = ("line", "number", "group", "queue", "menu", "voicemail", "announce")
# Said by the ladder of the line that owns the number; where a plan decides, nobody asked for that line.
OF_THE_LINE: Final = frozenset(
    {
        refusal.NOT_REGISTERED.label,
        refusal.CALLEE_FULL.label,
        "divert_unavailable",
        refusal.VOICEMAIL_AWAY.label,
    }
)


class Question(msgspec.Struct, frozen=True):
    """Who would call whom, and when. `caller` is a line's user, a number or "withheld"; `trunk` "" is none named.

    `came` says what comes of moves: by kind of move, line or number -> a Came, "answered", or digits of a menu.
    """

    caller: str
    to: str
    at_ms: int
    trunk: str = ""
    came: dict[str, str] = {}


class QuestionError(Exception):
    """It cannot be explained; the text says why."""


def explain(question: Question, board: Switchboard, now: float) -> list[str]:
    """Every step of the decision, a line each, in plain English. Raises QuestionError."""
    check_came(question.came)
    clock, rates, skipped = board.clock, board.call_rates, Counter(board.trunks.skipped)
    # Half a millisecond, so that no rounding makes it the one before.
    board.clock = WallClock((question.at_ms + 0.5) / 1000 - now)
    board.call_rates = CallRates()
    try:
        return [escape_control(line) for line in _Explanation(question, board, now).lines()]
    except SipParseError:
        raise QuestionError(f"{question.to[:40]!r} cannot be dialled") from None
    finally:
        board.clock, board.call_rates = clock, rates
        board.trunks.skipped.clear()
        board.trunks.skipped.update(skipped)


def check_came(came: Mapping[str, str]) -> None:
    """Raises QuestionError for a condition that says nothing."""
    known = {ANSWERED, *(each.value for each in Came)}
    for what, value in came.items():
        is_digits = what == "menu" and 0 < len(value) <= 20 and set(value) <= set("0123456789*#")
        if value not in known and not is_digits:
            expected = f"one of {', '.join(sorted(known))}, or the keys pressed in a menu"
            raise QuestionError(f"{what}={value[:40]}: expected {expected}")


class _Explanation:
    """One question on its way to its lines."""

    def __init__(self, question: Question, board: Switchboard, now: float) -> None:
        self._question = question
        self._board = board
        self._now = now
        self._lines: list[str] = []

    def lines(self) -> list[str]:
        board = self._board
        self._say(
            "time", f"{board.conf.time_sets.wall_clock(self._question.at_ms):%a %d %b %Y %H:%M} in London"
        )
        if len(self._question.to) > DIALLED_CHARS_MAX:
            raise QuestionError(
                f"{len(self._question.to)} characters to dial: expected {DIALLED_CHARS_MAX} at most"
            )
        caller = self._caller()
        request = self._request(caller)
        attempt = read_attempt(request, caller, board, self._now)
        self._say_attempt(attempt)
        admitted = admit(request, attempt, board, self._now)
        number = self._number_with_plan(attempt)
        if isinstance(admitted, Refusal) and not (number is not None and admitted.label in OF_THE_LINE):
            self._say("ladder", f"refused, {_refusal_text(admitted)}")
            return self._lines
        self._say("ladder", "no rule forbids the call")
        if isinstance(admitted, Admission):
            self._say_price(admitted.price, admitted.route)
        if number is not None:
            self._say_plan(number, attempt)
        elif isinstance(admitted, Admission):
            self._say_route(admitted.route)
        return self._lines

    # Who calls

    def _caller(self) -> Caller:
        board, wanted, trunk_name = self._board, self._question.caller, self._question.trunk
        if trunk_name:
            trunk = board.conf.trunks.get(trunk_name)
            if trunk is None:
                raise QuestionError(f"there is no trunk {trunk_name[:40]!r}")
            return TrunkCaller(trunk)
        line = board.books.lines.get(wanted)
        number = self._from_number()
        if line is None and (assigned := board.books.numbers.get(number)) is not None:
            line = board.books.lines.get(assigned.line)
        if line is not None:
            return LineCaller(line, board.books.account_of(line))
        if not number and wanted != WITHHELD:
            raise QuestionError(f"{wanted[:40]!r} is neither a line nor a number")
        if not board.conf.trunks:
            raise QuestionError(
                f"{wanted[:40]!r} is of another network, and there is no trunk that it could call by"
            )
        first = next(iter(board.conf.trunks))
        self._say("caller", f"{wanted} is not one of ours: taken as a call from trunk {first}")
        return TrunkCaller(board.conf.trunks[first])

    def _from_number(self) -> str:
        destination = read_dialled(
            self._question.caller[:DIALLED_CHARS_MAX], self._board.conf.routing.plan
        ).destination
        return destination.number if isinstance(destination, E164) else ""

    def _request(self, caller: Caller) -> Request:
        """The INVITE that such a caller would send."""
        board, to = self._board, self._question.to
        headers = Headers()
        headers.add("max-forwards", "70")
        if isinstance(caller, TrunkCaller):
            wanted = read_dialled(to, board.conf.routing.plan).destination
            if isinstance(wanted, E164):
                to = format_number(wanted.number, caller.trunk.inbound_number_format)
            self._add_carriers_identity(headers, caller)
        else:
            headers.add("from", f"<sip:{escape_user(caller.line.user)}@{board.domain}>;tag=explain")
        uri = f"sip:{escape_user(to)}@{board.domain}"
        headers.add("to", f"<{uri}>")
        headers.add("call-id", "explain")
        headers.add("cseq", "1 INVITE")
        return Request("INVITE", uri, headers)

    def _add_carriers_identity(self, headers: Headers, caller: TrunkCaller) -> None:
        number = format_number(self._from_number(), caller.trunk.inbound_number_format)
        domain = self._board.domain
        if not number:
            headers.add("from", f"{ANONYMOUS};tag=explain")
            return
        headers.add("from", f"<sip:{number}@{domain}>;tag=explain")
        if caller.trunk.identity is IdentityHeader.PAI:
            headers.add("p-asserted-identity", f"<sip:{number}@{domain}>")

    # What was read

    def _say_attempt(self, attempt: Attempt) -> None:
        match attempt.caller:
            case LineCaller(line=line, account=account):
                self._say("caller", f"line {line.user} of account {account.name if account else 'none'}")
            case TrunkCaller(trunk=trunk):
                self._say("caller", f"trunk {trunk.name}")
            case _:
                assert_never(attempt.caller)
        caller_id = attempt.caller_id
        shown = f"network number {caller_id.network_number or 'none'}"
        shown += f", presented {caller_id.presentation_number or 'none'}"
        self._say("CLI", f"{shown}{', withheld' if caller_id.is_withheld else ''}")
        self._say("dialled", f"{attempt.dialled} is {self._dialled_text(attempt)}")

    def _dialled_text(self, attempt: Attempt) -> str:
        if attempt.called_line is not None:
            return f"line {attempt.called_line.user}"
        match attempt.plan_result.destination:
            case E164(number=number, number_class=number_class):
                return f"{number} ({number_class.value})"
            case Short(number=number, number_class=number_class):
                return f"the short code {number} ({number_class.value})"
            case Emergency(service=service):
                return f"an emergency call to {service}"
            case ServiceCode() as code:
                return f"the service code {code.name}"
            case Unrecognised(reason=reason):
                return f"no number: {reason.value}"
            case unknown:
                assert_never(unknown)

    def _number_with_plan(self, attempt: Attempt) -> Number | None:
        destination = attempt.plan_result.destination
        if attempt.called_line is not None or not isinstance(destination, E164):
            return None
        number = self._board.books.numbers.get(destination.number)
        return number if number is not None and number.plan else None

    # What it costs and where it goes

    def _say_price(self, price: Price, route: Route) -> None:
        rate = price.rate
        if rate is None or rate.is_free:
            self._say("price", "free of charge" if not price.tariff else f"free by tariff {price.tariff}")
            return
        fee = f"{format_pounds(rate.connect_fee_micros)} and " if rate.connect_fee_micros else ""
        per_minute = f"{format_pounds(rate.per_minute_micros)} a minute"
        steps = f"in steps of {rate.initial_s} s, then {rate.next_s} s"
        where = f"{rate.destination} ({rate.prefix}) for {route.number or 'a line'}"
        self._say("price", f"tariff {price.tariff}, {where}: {fee}{per_minute}, {steps}")
        totals = self._board.engine.totals(price.account_id) if price.account_id is not None else None
        if totals is None:
            return
        first = charge_billed(rate, rate.initial_s).total_micros
        enough = (
            "enough"
            if first <= totals.available_micros
            else f"too little: refused, {_refusal_text(refusal.NO_CREDIT)}"
        )
        self._say("credit", f"{format_pounds(totals.available_micros)}, {enough}")

    def _say_route(self, route: Route) -> None:
        if route.line is not None:
            self._say_line(route.line, route)
            return
        for skipped in route.skipped:
            self._say("trunk", f"left out: {skipped}")
        for place, stage in enumerate(route.stages, 1):
            for target in stage:
                self._say(
                    "trunk" if isinstance(target, TrunkTarget) else "goes to",
                    f"{place}. {_target_text(target)}",
                )

    def _say_line(self, line: Line, route: Route) -> None:
        for stage in route.stages:
            for target in stage:
                self._say(f"line {line.user}", _target_text(target))
        for said in self._journey_of_line(line):
            self._say(f"line {line.user}", said)

    def _journey_of_line(self, line: Line) -> list[str]:
        """Where the line's own diverts would take the call: to be asked of what live calls ask."""
        return [f"diverts on {divert.condition.value} to {divert.kind.value}" for divert in line.diverts]

    # The plan

    def _say_plan(self, number: Number, attempt: Attempt) -> None:
        board = self._board
        line = board.books.lines.get(number.line)
        if line is None:
            self._say("plan", f"{number.e164} belongs to line {number.line}, which is gone")
            return
        self._say("plan", f"{number.e164} of line {line.user} leads to plan '{number.plan}'")
        facts = CallFacts(
            board,
            line.account_id,
            attempt.caller_id,
            number.e164,
            self._now,
            Random(self._question.at_ms),  # noqa: S311 - which part of a split is no secret
            counts_turns=False,
        )
        walk = PlanWalk(board.books.plans.get(line.account_id, {}), number.plan, facts)
        move = walk.first()
        told = self._tell(walk, move, 0)
        while (result := self._result(move)) is not None:
            self._say("then", result.value if isinstance(result, Came) else f"{result.digits} is pressed")
            move = walk.next(result)
            told = self._tell(walk, move, told)

    def _tell(self, walk: PlanWalk, move: Move, told: int) -> int:
        for note in walk.notes[told:]:
            self._say("plan", note)
        self._say("move", _move_text(move))
        return len(walk.notes)

    def _result(self, move: Move) -> Result | None:
        """What is taken to come of it; None: the call is over, or somebody has it."""
        names, kind, usual = _subject(move)
        said = next((self._question.came[name] for name in (*names, kind) if name in self._question.came), "")
        if said == ANSWERED:
            self._say("then", "it is answered")
            return None
        for came in Came:
            if came.value == said:
                return came
        return Pressed(said) if said and isinstance(move, Menu) else usual

    def _say(self, about: str, words: str) -> None:
        self._lines.append(f"{about}: {words}")


def _subject(move: Move) -> tuple[tuple[str, ...], str, Came | None]:
    """What a condition may call the move, its kind, and what comes of it if none is said."""
    match move:
        case Ring(places=places):
            kind = "group" if len(places) > 1 else places[0].kind.value
            return tuple(place.value for place in places), kind, Came.NO_ANSWER
        case Queue(name=name):
            return (name,), "queue", Came.WAITED_TOO_LONG
        case Menu():
            return (), "menu", Came.NOTHING_PRESSED
        case Deposit(user=user):
            return (f"voicemail {user}",), "voicemail", None
        case Announce():
            return (), "announce", None
        case Refuse():
            return (), "", None
        case _:
            assert_never(move)


def _move_text(move: Move) -> str:
    match move:
        case Ring(places=places, ring_s=ring_s, follows_diverts=follows_diverts):
            who = " and ".join(map(str, places))
            return f"ring {who} for {ring_s} s{', with its diverts' if follows_diverts else ''}"
        case Queue(places=places, wait_s_max=wait_s_max):
            return f"wait for {', '.join(map(str, places))}, {wait_s_max} s at most"
        case Menu(prompt=prompt, choices=choices):
            return f"play '{prompt}' and take {', '.join(choices) or 'no key'}"
        case Deposit(user=user):
            return f"take a message for line {user}"
        case Announce(prompt=prompt, status=status):
            return f"play '{prompt}', then {status}"
        case Refuse(status=status, cause=cause, words=words):
            return f"refuse with {status}, cause {cause}: {words}"
        case _:
            assert_never(move)


def _target_text(target: LineTarget | TrunkTarget | VoicemailTarget) -> str:
    flow = target.flow
    at = f"{flow.transport.lower()}:{flow.remote_host}:{flow.remote_port}"
    match target:
        case LineTarget(binding=binding):
            return f"rings {'the phone' if binding is not None else 'its address'} at {at}"
        case TrunkTarget(trunk=trunk):
            return f"{trunk.name} at {at}"
        case VoicemailTarget(uri=uri):
            return f"voicemail at {at}, asked for {uri}"
        case _:
            assert_never(target)


def _refusal_text(refused: Refusal) -> str:
    return f"{refused.status}, cause {refused.q850_cause} ({refused.label}): {refused.words}"
