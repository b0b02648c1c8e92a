"""What a call would do, told step by step without one: `offhook route explain`.

An attempt is read and admitted by the functions that live calls use, at another time if that is asked; where the call
goes then is decided by the journey that decides for live calls, and what comes of it is assumed (rehearsal.py).
Trunks and phones are as they are now, whatever the time. Nothing is sent, reserved or recorded (asking.py).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, assert_never

import msgspec

from provisioning.printable import escape_control
from rating.charge import charge_billed
from rating.money import format_pounds
from switch.calls import refusal
from switch.calls.admission import admit
from switch.calls.asking import asking
from switch.calls.attempt import Attempt, read_attempt
from switch.calls.buying import ranking
from switch.calls.callee_leg import LegOutcome
from switch.calls.cdr import facts_of
from switch.calls.explained_bundles import bundle_words
from switch.calls.explained_words import (
    move_text,
    outcome_text,
    place_of,
    price_text,
    refusal_text,
    search_text,
    target_text,
    told_text,
)
from switch.calls.identity import ANONYMOUS, Caller, LineCaller, TrunkCaller
from switch.calls.journey import PASSED_OVER, Journey
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
from switch.calls.q850 import cause_of_status
from switch.calls.refusal import Refusal
from switch.calls.rehearsal import (
    RINGS_ON,
    Answered,
    Asked,
    Failed,
    Reaction,
    Rehearsal,
    Searching,
    Step,
    Told,
)
from switch.calls.routing import RouteRule, TrunkOrder
from switch.calls.search import Search
from switch.calls.switchboard import Switchboard
from switch.calls.target import LineTarget, Target, TrunkTarget, VoicemailTarget
from switch.calls.terms import Admission, Price, Route
from switch.config import IdentityHeader
from switch.journey.moves import Came, Menu, Pressed, Queue, Result
from switch.sip.errors import SipParseError
from switch.sip.headers import Headers
from switch.sip.message import Request
from switch.sip.uri import escape_user

WITHHELD: Final = "withheld"
ANSWERED: Final = "answered"
# What a condition may be for, besides a line or a number by its name.
KINDS: Final = ("line", "number", "group", "queue", "menu", "voicemail", "announce")
WORDS_S: Final = 3.0  # what an announcement is taken to last

React = Callable[[Target, Search], Reaction]


class Question(msgspec.Struct, frozen=True):
    """Who would call whom, and when. `caller` is a line's user, a number or "withheld"; `trunk` "" is none named.

    `came` says what comes of moves: by kind of move, line, number or trunk -> a Came, "answered", or digits of a menu.
    `call_id` is that of a call that was made: what is left to chance comes out as it did then.
    """

    caller: str
    to: str
    at_ms: int
    trunk: str = ""
    came: dict[str, str] = {}
    call_id: str = ""


class QuestionError(Exception):
    """It cannot be explained; the text says why."""


def explain(question: Question, board: Switchboard, now: float, react: React | None = None) -> list[str]:
    """Every step of the decision, a line each, in plain English. Raises QuestionError. `react` says what each target
    does, in place of what the question says."""
    return [escape_control(line) for line in explanation(question, board, now, react).lines]


def explanation(
    question: Question, board: Switchboard, now: float, react: React | None = None
) -> "Explanation":
    """The same, to be looked into."""
    check_came(question.came)
    question = msgspec.structs.replace(
        question, came={_thing(what, board): value for what, value in question.came.items()}
    )
    told = Explanation(question, board, now, react)
    try:
        with asking(board, question.at_ms, now):
            told.tell()
    except SipParseError:
        about = f"{question.call_id[:40]!r} is no Call-ID, or " if question.call_id else ""
        raise QuestionError(f"{about}{question.to[:40]!r} cannot be dialled") from None
    return told


def check_came(came: Mapping[str, str]) -> None:
    """Raises QuestionError for a condition that says nothing."""
    known = {ANSWERED, *(each.value for each in Came)}
    for what, value in came.items():
        is_digits = what == "menu" and 0 < len(value) <= 20 and set(value) <= set("0123456789*#")
        if value not in known and not is_digits:
            expected = f"one of {', '.join(sorted(known))}, or the keys pressed in a menu"
            raise QuestionError(f"{what}={value[:40]}: expected {expected}")


def _thing(what: str, board: Switchboard) -> str:
    """What a condition is for, as it is looked up: a number may be written as it is dialled. Raises QuestionError."""
    known = what in KINDS or what in board.books.lines or what in board.conf.trunks
    if known or what.startswith("voicemail ") or "/" in what:  # a mailbox, or a queue as `offhook queues` names it
        return what
    found = read_dialled(what[:DIALLED_CHARS_MAX], board.conf.routing.plan).destination
    if not isinstance(found, E164):
        raise QuestionError(f"{what[:40]!r}: expected {', '.join(KINDS)}, or a line, number or trunk by its name")
    assigned = board.books.numbers.get(found.number)
    return found.number if assigned is None else assigned.line


class Explanation:
    """One question on its way to its lines. `ending` is the last step of the rehearsal, or why there was none."""

    def __init__(
        self, question: Question, board: Switchboard, now: float, react: React | None
    ) -> None:
        self._question = question
        self._board = board
        self._now = now
        self._react = react
        self._number = ""  # that is called, where nobody has sent the call on
        self._notes: list[str] = []  # what the journey decides, as it does
        self._told_notes = 0
        self.lines: list[str] = []
        self.rehearsal: Rehearsal | None = None
        self.ending: Step | Refusal | None = None

    def tell(self) -> None:
        board, question = self._board, self._question
        self._say("time", f"{board.conf.time_sets.wall_clock(question.at_ms):%a %d %b %Y %H:%M %Z} in London")
        if len(question.to) > DIALLED_CHARS_MAX:
            raise QuestionError(
                f"{len(question.to)} characters to dial: expected {DIALLED_CHARS_MAX} at most"
            )
        caller = self._caller()
        request = self._request(caller)
        attempt = read_attempt(request, caller, board, self._now)
        attempt.notes = self._notes
        self._say_attempt(attempt)
        admitted = admit(request, attempt, board, self._now)
        if isinstance(admitted, Refusal):
            self._say_owner(attempt)
            self._say_notes()
            self._say("ladder", f"refused, {refusal_text(admitted)}")
            if admitted is refusal.BELOW_COST:
                self._say_costs(attempt)
            self.ending = admitted
            return
        self._say("ladder", "no rule forbids the call")
        self._say_price(attempt, admitted.price, admitted.route)
        self._say_owner(attempt)
        self._number = admitted.route.number
        route = admitted.route
        if route.journey is None:
            self._say_route(route)
        goes_on = route.journey is not None or not route.stages
        if route.code is None and (goes_on or question.came or self._react is not None):
            self._rehearse(attempt, admitted)

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
        headers.add("call-id", self._question.call_id or f"explain-{self._question.at_ms}")
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

    def _say_owner(self, attempt: Attempt) -> None:
        """Whose plan decides, where one does."""
        destination = attempt.plan_result.destination
        if attempt.called_line is not None or not isinstance(destination, E164):
            return
        number = self._board.books.numbers.get(destination.number)
        if number is not None and number.plan:
            self._say("plan", f"{number.e164} of line {number.line} leads to plan '{number.plan}'")

    # What it costs and where it goes

    def _say_price(self, attempt: Attempt, price: Price, route: Route) -> None:
        self._say("price", price_text(price, route))
        rate = price.rate
        totals = self._board.engine.totals(price.account_id) if price.account_id is not None else None
        if rate is None or rate.is_free or totals is None:
            return
        first = charge_billed(rate, rate.initial_s, at_ms=self._question.at_ms).total_micros
        enough = (
            "enough"
            if first <= totals.available_micros
            else f"too little: refused, {refusal_text(refusal.NO_CREDIT)}"
        )
        number = None if price.origin else facts_of("", attempt, "").destination
        if bundled := bundle_words(self._board.engine, price, number, self._question.at_ms):
            self._say("bundle", bundled)
            enough = "enough"
        self._say("credit", f"{format_pounds(totals.available_micros)}, {enough}")

    def _say_route(self, route: Route) -> None:
        if route.rule is not None and not route.rule.is_listed:
            self._say_order(route.rule, route.number)
        for name in route.below_cost:
            self._say("below cost", f"{name} takes more for three minutes than they are sold for")
        for skipped in route.skipped:
            self._say("trunk", f"left out: {skipped}")
        for place, stage in enumerate(route.stages, 1):
            for target in stage:
                if isinstance(target, LineTarget):
                    self._say(f"line {target.line.user}", target_text(target))
                else:
                    about = "trunk" if isinstance(target, TrunkTarget) else "goes to"
                    self._say(about, f"{place}. {target_text(target)}")

    def _say_costs(self, attempt: Attempt) -> None:
        """What each trunk takes for three minutes of a call that all of them are too dear for."""
        destination = attempt.plan_result.destination
        if isinstance(destination, E164 | Short):
            rule = self._board.conf.routing.rule(destination.number)
            if rule is not None:
                self._say_order(rule, destination.number)

    def _say_order(self, rule: RouteRule, number: str) -> None:
        """Why the trunks stand as they do."""
        by = "by price for three minutes" if rule.order is TrunkOrder.PRICE else "as they are listed"
        self._say("order", f"route {rule.prefix}, {by}")
        for place, ranked in enumerate(ranking(rule, number, self._board, self._now), 1):
            self._say("order", f"{place}. {ranked}")

    # What comes of it

    def _rehearse(self, attempt: Attempt, admitted: Admission) -> None:
        react = self._react or self._assumed
        self.rehearsal = Rehearsal(self._board, attempt, admitted, react, self._asked, self._now)
        journey = admitted.route.journey
        for step in self.rehearsal.steps():
            if not isinstance(step, Failed):  # what was noted then is what came after it
                self._say_notes()
            self._say_step(step, journey)
            self.ending = step

    def _say_notes(self) -> None:
        for note in self._notes[self._told_notes :]:
            is_over = note.startswith(PASSED_OVER)
            self._say("passed over" if is_over else "plan", note.removeprefix(PASSED_OVER))
        self._told_notes = len(self._notes)

    def _say_step(self, step: Step, journey: Journey | None) -> None:
        match step:
            case Searching(search=search):
                if journey is not None:
                    self._say_search(search, journey)
            case Failed(outcome=outcome, has_rung=has_rung):
                self._say("then", outcome_text(outcome, has_rung=has_rung))
            case Asked(result=result):
                said = result.digits if isinstance(result, Pressed) else ""
                if result is None:
                    self._say("then", "it is answered")
                else:
                    self._say("then", f"{said} is pressed" if isinstance(result, Pressed) else result.value)
            case Answered(leg=leg):
                if not isinstance(leg.target, VoicemailTarget):
                    self._say("then", "it is answered")
            case Told(outcome=outcome):
                is_up = journey is not None and journey.is_answered
                told = f"the call ends: {outcome.words}" if is_up else f"the caller is told {told_text(outcome)}"
                self._say("end", told)
            case _:
                assert_never(step)

    def _say_search(self, search: Search, journey: Journey) -> None:
        move = journey.move
        timeout_s = self._board.conf.calls.no_answer_timeout_s
        self._say("move", search_text(search, self._number, timeout_s) if move is None else move_text(move))
        payers: dict[int, Admission] = {}
        for place, stage in enumerate(search.stages, 1):
            for target in stage:
                if isinstance(target, VoicemailTarget):
                    continue
                way = f"{place}. " if isinstance(target, TrunkTarget) else ""
                self._say(place_of(target, self._number), f"{way}{target_text(target)}")
                if target.onward is not None:
                    payers[id(target.onward)] = target.onward
        for onward in payers.values():
            self._say_payer(onward)

    def _say_payer(self, onward: Admission) -> None:
        sender, account_id = onward.sender, onward.price.account_id
        account = None if account_id is None else self._board.books.accounts.get(account_id)
        why = "" if sender is None else f", by {sender.reason}"
        who = account.name if account is not None else "nobody"
        self._say("payer", f"account {who}{why}: {price_text(onward.price, onward.route)}")
        for skipped in onward.route.skipped:
            self._say("trunk", f"left out: {skipped}")

    def _said(self, names: Iterator[str]) -> str:
        """The first condition that is for one of these."""
        came = self._question.came
        return next((came[name] for name in names if name in came), "")

    def _assumed(self, target: Target, search: Search) -> Reaction:
        """What the question says, or the usual: nobody answers, and voices do."""
        said = self._said(self._names(target, search))
        if said == ANSWERED:
            return Reaction(answers=True)
        if said:
            return self._failing(Came(said), target)
        if not isinstance(target, VoicemailTarget):
            return RINGS_ON
        if search.ends_with:
            outcome = LegOutcome(search.ends_with, cause_of_status(search.ends_with), "the words are over")
            return Reaction(outcome, WORDS_S)
        return Reaction(answers=True)

    def _names(self, target: Target, search: Search) -> Iterator[str]:
        match target:
            case LineTarget(line=line):
                yield line.user
            case TrunkTarget(trunk=trunk, onward=onward):
                yield trunk.name
                yield self._number if onward is None else onward.route.number
            case VoicemailTarget(line=line):
                if line is not None:
                    yield f"voicemail {line.user}"
                yield "announce" if search.ends_with else "voicemail"
                return
            case _:
                assert_never(target)
        yield "group" if len({place_of(each, "") for each in search.stages[0]}) > 1 else place_of(target, "").split()[0]

    def _failing(self, came: Came, target: Target) -> Reaction:
        match came:
            case Came.BUSY:
                return Reaction(LegOutcome(486, 17, "busy"))
            case Came.DECLINED:
                return Reaction(LegOutcome(603, 21, "declined"))
            case Came.UNREACHABLE:
                silent = LegOutcome(408, 102, "no reaction in time", is_ours=True)
                return Reaction(silent, self._board.conf.calls.reaction_timeout_s, rings=False)
            case Came.FAILED:
                is_line = isinstance(target, LineTarget)
                failed = LegOutcome(488, 65, "not acceptable") if is_line else LegOutcome(503, 41, "failed")
                return Reaction(failed, rings=False)
            case _:
                return RINGS_ON

    def _asked(self, move: Menu | Queue) -> Result | None:
        """What is taken to come of a voice that has answered; None: the call ends there, or somebody has it."""
        if isinstance(move, Queue):
            said = self._said(iter((move.name, "queue")))
            usual = Came.WAITED_TOO_LONG
        else:
            asks = bool(move.choices or move.extension_digits)  # else they are words after which the call goes on
            said, usual = self._said(iter(("menu" if asks else "announce",))), Came.NOTHING_PRESSED
        if said == ANSWERED:
            return None
        known = next((came for came in Came if came.value == said), None)
        if known is not None or not said:
            return known or usual
        return Pressed(said) if isinstance(move, Menu) else usual

    def _say(self, about: str, words: str) -> None:
        self.lines.append(f"{about}: {words}")
