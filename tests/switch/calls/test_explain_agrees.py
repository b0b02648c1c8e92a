"""`offhook route explain` against live calls: a thousand towns of random plans, diverts, limits, phones and callers.

Each is asked about a call first, with what every phone is going to do, and then gets that call on the bench of the
whole exchange. Who was rung, when, for how long, on whose account, what came of it and what the caller heard must be
the same.
"""

from collections import Counter
from random import Random

import msgspec
import pytest

from provisioning.model import Divert, DivertCondition, DivertKind, Line, Number
from provisioning.plans.plan import Plan
from provisioning.plans.plan_text import PlanProblems, read_plan
from provisioning.settings import LineSettings
from rating.records import Cdr
from rating.tariff import load_tariff
from switch.calls.callee_leg import LegOutcome
from switch.calls.cdr import outcome_label
from switch.calls.explain import Explanation, Question, explanation
from switch.calls.hunt import status_for_caller
from switch.calls.q850 import cause_of_status
from switch.calls.refusal import Refusal
from switch.calls.rehearsal import Answered, Reaction, RehearsedLeg, Told
from switch.calls.routing import make_routing
from switch.calls.search import Search
from switch.calls.target import LineTarget, Target, VoicemailTarget
from switch.conf_trunks import DiversionHeader
from switch.journey.time_sets import Period, TimeSet, TimeSets
from switch.sip.invite_server import InviteServerTransaction
from switch.sip.message import Request
from tests.switch.house import (
    STARTED_AT_S,
    TARIFF_CSV,
    House,
    Phone,
    make_account,
    make_conf,
    make_line,
    make_trunk,
)
from tests.switch.journey.plan_dice import KINDS, USERS, VOICES, Dice
from tests.switch.voicemail_stand_in import VOICEMAIL_AT, StandIn, voicemail_conf

TOWNS = 1000
PLAN_NUMBER = "+441632960000"  # its plan is p0
NUMBERS = {"+441632960001": "1001", "+441632960002": "1002"}
MOBILES = ["+447700900123", "+447700900456", "+442079460999"]
STRANGERS = ["+441632960555", "+447700900123", "withheld"]
ACCOUNTS = {"1000": 2, "1001": 2, "1002": 2, "1003": 2, "1004": 3, "1005": 1}
TARIFF = load_tariff("retail", TARIFF_CSV + "on-net,On-net,0.01,0.03,60,60,2020-01-01,\n", "inc_vat")
SETS = TimeSets(
    {
        "office": TimeSet(hours=((Period(540, 1050),),) * 5 + ((), ())),
        "holidays": TimeSet(excluded=("office",)),
    }
)
NODES = tuple(kind for kind in range(KINDS) if kind not in VOICES)
ONE_WAY_S = 0.01
REACHED_S = 2 * ONE_WAY_S  # from the offer to what the phone says of it
WORDS_S = 3.0
CALL_S_MAX = 21 * 120  # every search that a call may have, and each to its end
LATE_S = 0.5  # what a few dozen messages may take together


class Mailboxes(StandIn):
    """Takes messages, or none; says words and refuses as it is told."""

    takes = True

    def _ring(self, transaction: InviteServerTransaction, request: Request, now: float) -> None:
        is_announcement = request.uri.startswith("sip:announce")
        if is_announcement:
            status = request.uri.partition("status=")[2].partition(";")[0]
            self.announces(int(status), after_s=WORDS_S)
        else:
            self.ring_status, self.ring_body, self.answer_after_s = 0, b"", 0.05
            self.answer = 200 if self.takes else 503
        super()._ring(transaction, request, now)


class Town:
    """Everything by chance, and the same for the same seed."""

    nodes: tuple[int, ...] = NODES

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self._things = 0
        lines = [self._line(user, account_id) for user, account_id in ACCOUNTS.items()]
        self.house = House(
            conf=self._conf(),
            lines=lines,
            accounts=[self._account(number) for number in (1, 2, 3)],
            numbers=NUMBERS,
            balances={number: self._balance() for number in (1, 2, 3)},
            seed=seed,
        )
        self.house.wall.offset_s = STARTED_AT_S + random.randrange(400 * 86_400) + random.random()
        self.before = {number: self.house.balance(number) for number in (1, 2, 3)}
        self._fill_books()
        self.mailboxes = Mailboxes(self.house)
        self.mailboxes.takes = random.random() < 0.9
        self.phones = {line.user: self._phone(line.user, f"192.0.2.1{place}") for place, line in enumerate(lines)}
        self.carriers = {name: self.house.phone(name, host) for name, host in CARRIERS.items()}
        for name in ("out", "backup"):
            self._let_be(self.carriers[name], [200, None, None, 486, 404, 480, 503, 503, 500])
        if random.random() < 0.1:
            self.mailboxes.go_away()
            self.house.run(4)
        self.busy = random.sample(USERS, 1) if random.random() < 0.3 else []
        self.house.exchange.board.of_line.update(self.busy)

    # What is there

    def _conf(self) -> "object":
        trunks = [
            make_trunk("in", CARRIERS["in"]),
            make_trunk(
                "out", CARRIERS["out"], diversion=DiversionHeader.DIVERSION,
                calls_max=self.random.choice([1, 2, 1000]),
            ),
            make_trunk("backup", CARRIERS["backup"]),
        ]  # fmt: skip
        ways = ("out", "backup") if self.random.random() < 0.7 else ("out",)
        conf = make_conf(trunks=trunks, tariff=TARIFF, routing=make_routing({"+": ways}, version="routing1"))
        return msgspec.structs.replace(voicemail_conf(conf), time_sets=SETS)

    def _account(self, number: int) -> "object":
        chance = self.random.random
        return make_account(
            number, is_suspended=chance() < 0.04, calls_max=self.random.choice([1, 2, 4]) if chance() < 0.2 else 0
        )

    def _balance(self) -> int:
        return self.random.choice([0, 15_000, 80_000, 200_000]) if self.random.random() < 0.2 else 5_000_000

    def _line(self, user: str, account_id: int) -> Line:
        chance = self.random.random
        settings = LineSettings(
            has_call_waiting=chance() < 0.8,
            does_not_disturb=chance() < 0.08,
            refuses_diverts=chance() < 0.1,
            rejects_anonymous=chance() < 0.1,
            blocked_callers=("01632*",) if chance() < 0.05 else (),
        )
        calls_max = 1 if chance() < 0.1 else 0
        diverts = tuple(self._divert(user) for _ in range(self.random.choice([0, 1, 2, 3, 4, 6])))
        return make_line(user, account_id, settings=settings, calls_max=calls_max, diverts=diverts)

    def _divert(self, user: str) -> Divert:
        pick, chance = self.random.choice, self.random.random
        condition = pick(list(DivertCondition))
        kind = pick([DivertKind.LINE, DivertKind.NUMBER, DivertKind.VOICEMAIL, *DivertKind])
        destination = {
            DivertKind.LINE: pick([*USERS, "nobody"]),
            DivertKind.NUMBER: pick([*MOBILES, *NUMBERS, PLAN_NUMBER, "+449098790123"]),
            DivertKind.VOICEMAIL: "",
            DivertKind.PLAN: pick(["p0", "p1", "none"]),
            DivertKind.ANNOUNCEMENT: "closed",
        }[kind]
        return Divert(
            condition, kind, destination,
            ring_s=self.random.randint(5, 30) if condition is DivertCondition.NO_REPLY else 0,
            answer_s=pick([0, 0, 7, 12]),
            sources=pick([(), (), (), (), (), (), ("withheld",), ("01632*",), ("+447700900123", "withheld")]),
            ddis=pick([(), (), (), (), (), ("+441632960001",)]),
            time_set=pick(["", "", "", "", "", "", "office", "holidays", "unknown"]),
            is_enabled=chance() < 0.9,
        )  # fmt: skip

    def _fill_books(self) -> None:
        books = self.house.exchange.books
        books.plans = {2: self._plans()}
        books.numbers[PLAN_NUMBER] = Number(PLAN_NUMBER, "1000", "p0")
        if "p1" in books.plans[2] and self.random.random() < 0.4:
            books.numbers["+441632960001"] = Number("+441632960001", "1001", "p1")

    def _plans(self) -> dict[str, Plan]:
        while True:
            try:
                texts = Dice(self.random, kinds=list(self.nodes), goes_on=0.85).account_plans()
                return {name: read_plan(text) for name, text in texts.items()}
            except PlanProblems:
                continue

    def _phone(self, user: str, host: str) -> Phone:
        phone = self.house.phone(user, host)
        if self.random.random() < 0.8 or user == "1005":
            phone.register(3600)
        self._let_be(phone, [200, None, None, None, 486, 486, 603, 480, 404, 488])
        return phone

    def _let_be(self, phone: Phone, answers: list[int | None]) -> None:
        answer = self.random.choice(answers)
        phone.answer = answer or 200
        after_s = self.random.choice([0.2, 0.37, 0.5, 3.3, 7.7, 23.4, 41.9])
        self._things += 1
        # No two do something at the same moment: which is first then is anybody's.
        phone.answer_after_s = None if answer is None else after_s + 0.013 * self._things

    # What is asked, and what is done

    def reaction(self, target: Target, search: Search) -> Reaction:
        """What the phone, carrier or mailbox is going to do."""
        if isinstance(target, VoicemailTarget):
            if VOICEMAIL_AT not in self.house.link._ends:
                return Reaction(LegOutcome(408, 102, "", is_ours=True), 1.0, rings=False)
            if search.ends_with:
                said = LegOutcome(search.ends_with, cause_of_status(search.ends_with), "")
                return Reaction(said, WORDS_S + REACHED_S)
            if not self.mailboxes.takes:
                return Reaction(LegOutcome(503, 41, ""), 0.05 + REACHED_S, rings=False)
            return Reaction(answers=True, after_s=0.05 + REACHED_S)
        phone = self.phones[target.line.user] if isinstance(target, LineTarget) else self.carriers[target.name]
        if phone.answer_after_s is None:
            return Reaction()
        after_s = phone.answer_after_s + REACHED_S
        if phone.answer == 200:
            return Reaction(answers=True, after_s=after_s)
        return Reaction(LegOutcome(phone.answer, cause_of_status(phone.answer), ""), after_s)

    def call(self, number: int) -> tuple[Explanation, list[Cdr], Phone]:
        pick = self.random.choice
        dialled = pick([*[PLAN_NUMBER] * 12, *NUMBERS, "1000", "1001", "1004", MOBILES[0]])
        is_line = dialled in USERS or dialled in MOBILES or self.random.random() < 0.5
        caller, trunk = ("1005", "") if is_line else (pick(STRANGERS), "in")
        call_id = f"call-{number}"
        house = self.house
        board = house.exchange.board
        now = house.clock.now
        question = Question(caller, dialled, board.clock.ms(now), trunk, call_id=call_id)
        told = explanation(question, board, now, self.reaction)
        phone = self.phones["1005"] if is_line else self.carriers["in"]
        phone.statuses.clear()
        if is_line:
            phone.invite(dialled, call_id=call_id)
        elif caller == "withheld":
            anonymous = '"Anonymous" <sip:anonymous@anonymous.invalid>'
            phone.invite(dialled, from_=anonymous, call_id=call_id)
        else:
            asserted = ("P-Asserted-Identity", f"<sip:{caller}@{phone.address[0]}>")
            sender = f"<sip:{caller}@{phone.address[0]}>"
            phone.invite(dialled, extra=[asserted], from_=sender, call_id=call_id)
        before = len(house.journal.cdrs())
        for _ in range(CALL_S_MAX // 5):
            if any(200 <= status < 700 and status not in (401, 407) for status in phone.statuses):
                break
            house.run(5)
        else:
            raise AssertionError(f"the call goes on and on: {told.lines}")
        house.run(1)
        if phone.dialogs:
            phone.hang_up()
        self._settle()
        return told, sorted(house.journal.cdrs()[before:], key=lambda row: row.leg), phone

    def _settle(self) -> None:
        """Until the last leg is gone: what nobody answers is given up after 32 s."""
        for _ in range(20):
            if not self.house.exchange.board.legs:
                return
            self.house.run(2)

    def assert_in_order(self) -> None:
        board = self.house.exchange.board
        board.of_line.subtract(self.busy)
        self.house.assert_clean()
        assert not any(board.of_line.values()) and not any(board.of_account.values())
        assert not any(board.of_trunk.values())
        costs: Counter[int] = Counter()
        for row in self.house.journal.cdrs():
            if row.cost_micros:
                assert row.payer_account_id is not None
                costs[row.payer_account_id] += row.cost_micros
        for account_id, before in self.before.items():
            assert before - self.house.balance(account_id) == costs[account_id]
        board.of_line.update(self.busy)


CARRIERS = {"in": "192.0.2.50", "out": "192.0.2.60", "backup": "192.0.2.61"}


class Leg(msgspec.Struct):
    """As both sides can tell it. Times are seconds from the beginning of the call; `rang_s` None: it has answered."""

    who: str
    payer: int | None
    outcome: str
    began_s: float
    rang_s: float | None


def foreseen(leg: RehearsedLeg, now: float) -> Leg:
    target, outcome = leg.target, leg.outcome
    who = target.line.user if isinstance(target, LineTarget) else target.name
    if isinstance(target, VoicemailTarget):
        who = f"voicemail {target.line.user if target.line is not None else ''}"
    payer = None if target.onward is None else target.onward.price.account_id
    label = "answered" if outcome is None else outcome_label(outcome.status, outcome.q850_cause)
    return Leg(who, payer, label, leg.began_at - now, None if outcome is None else leg.ended_at - leg.began_at)


def recorded(row: Cdr, first: Cdr) -> Leg:
    who = f"voicemail {row.line}" if row.destination == "voicemail" else row.line or row.trunk
    rang_s = None if row.outcome == "answered" else (row.ended_at_ms - row.setup_at_ms) / 1000
    return Leg(who, row.payer_account_id, row.outcome, (row.setup_at_ms - first.setup_at_ms) / 1000, rang_s)


def is_same(said: Leg, was: Leg) -> bool:
    if (said.who, said.payer, said.outcome) != (was.who, was.payer, was.outcome):
        return False
    if abs(said.began_s - was.began_s) > LATE_S or (said.rang_s is None) is not (was.rang_s is None):
        return False
    return said.rang_s is None or was.rang_s is None or abs(said.rang_s - was.rang_s) < LATE_S


def told_status(told: Explanation) -> int:
    match told.ending:
        case Answered():
            return 200
        case Told(outcome=Refusal(status=status)) | Refusal(status=status):
            return status
        case Told(outcome=LegOutcome() as outcome):
            return status_for_caller(outcome)
        case other:
            raise AssertionError(other)


def disagreements(told: Explanation, rows: list[Cdr], now: float) -> list[str]:
    first = rows[0]
    found = []
    if told_status(told) != first.sip_status:
        found.append(f"the caller is told {told_status(told)}, and was told {first.sip_status}")
    said = [] if told.rehearsal is None else [foreseen(leg, now) for leg in told.rehearsal.legs]
    # The words of a refusal are no part of the way.
    was = [recorded(row, first) for row in rows[1:] if not row.leg_reason.startswith("announcement")]
    if len(said) != len(was) or not all(map(is_same, said, was)):
        found.append("\n".join(["said:", *map(str, said), "was:", *map(str, was)]))
    return found


@pytest.mark.parametrize("hundred", range(TOWNS // 100))
def test_what_is_explained_is_what_happens(hundred: int) -> None:
    for seed in range(hundred * 100, hundred * 100 + 100):
        town = Town(seed)
        for number in range(2):
            now = town.house.clock.now
            told, rows, _ = town.call(number)
            found = disagreements(told, rows, now)
            assert not found, "\n".join([f"town {seed}, call {number}", *found, *told.lines])
            town.assert_in_order()
