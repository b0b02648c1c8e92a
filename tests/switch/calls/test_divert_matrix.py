"""Every divert, crossed: when it applies, who calls, where it leads. Who pays, what is shown, what is on record.

bob (account 2) diverts. alice is account 1, carol account 3; a carrier brings calls in, another takes them to mobiles.
"""

import itertools
from collections import Counter

import msgspec
import pytest

from provisioning.model import Divert, DivertCondition, DivertKind
from rating.records import Cdr
from rating.tariff import load_tariff
from switch.calls.endings import NOT_SENT_ON
from switch.calls.routing import make_routing
from switch.conf_trunks import DiversionHeader
from switch.sip.message import Request
from tests.switch.house import (
    DOMAIN,
    TARIFF_CSV,
    House,
    Phone,
    make_account,
    make_conf,
    make_line,
    make_trunk,
)
from tests.switch.voicemail_stand_in import (
    ALL,
    BUSY,
    DECLINED,
    NO_REPLY,
    UNREACHABLE,
    StandIn,
    voicemail_conf,
)

ALICE, BOB, CAROL = "+441632960001", "+441632960002", "+441632960003"
MOBILE, ABROAD_CALLER = "+447700900123", "+442079460123"
TARIFF = load_tariff("retail", TARIFF_CSV + "on-net,On-net,0.01,0.03,60,60,2020-01-01,\n", "inc_vat")
RING_S = 10
TALK_S = 61

REASONS = {
    ALL: "unconditional",
    BUSY: "user-busy",
    NO_REPLY: "no-answer",
    UNREACHABLE: "unavailable",
    DECLINED: "deflection",
}
# What bob's own phone comes to on record, where it rang at all.
OWN_RINGS_S = {ALL: 0, BUSY: 0.2, NO_REPLY: RING_S, UNREACHABLE: 0, DECLINED: 0.2}
OWN = {ALL: None, BUSY: "busy", NO_REPLY: "no_answer", UNREACHABLE: None, DECLINED: "declined"}
CALLERS = ("line", "trunk", "withheld")
DESTINATIONS = ("line", "trunk", "voicemail", "dead")
_KINDS = {
    "line": (DivertKind.LINE, "carol"),
    "trunk": (DivertKind.NUMBER, MOBILE),
    "voicemail": (DivertKind.VOICEMAIL, ""),
    "dead": (DivertKind.LINE, "nobody"),
}
MATRIX = list(itertools.product(DivertCondition, CALLERS, DESTINATIONS))


class Street:
    def __init__(self, diverts: tuple[Divert, ...], **bob: object) -> None:
        inbound = make_trunk("in", "192.0.2.50")
        outbound = make_trunk("out", "192.0.2.60", diversion=DiversionHeader.DIVERSION)
        routing = make_routing({"+": ("out",)}, version="routing1")
        conf = make_conf(trunks=[inbound, outbound], tariff=TARIFF, routing=routing)
        self.house = House(
            conf=voicemail_conf(conf),
            lines=[
                make_line("alice", 1),
                make_line("bob", 2, diverts=diverts, **bob),
                make_line("carol", 3),
                make_line("nobody", 3),
            ],
            accounts=[make_account(number) for number in (1, 2, 3)],
            numbers={ALICE: "alice", BOB: "bob", CAROL: "carol"},
            balances={1: 5_000_000, 2: 5_000_000, 3: 5_000_000},
        )
        self.before = {number: self.house.balance(number) for number in (1, 2, 3)}
        self.voicemail = StandIn(self.house)
        self.alice = self.house.phone("alice", "192.0.2.10")
        self.bob = self.house.phone("bob", "192.0.2.20")
        self.carol = self.house.phone("carol", "192.0.2.30")
        self.carrier_in = self.house.phone("in", "192.0.2.50")
        self.carrier_out = self.house.phone("out", "192.0.2.60")
        self.alice.register()
        self.carol.register()

    def let_bob_be(self, condition: DivertCondition) -> None:
        if condition is not UNREACHABLE:
            self.bob.register()
        self.bob.answer_after_s = None if condition in (NO_REPLY, ALL) else 0.2
        self.bob.answer = {BUSY: 486, DECLINED: 603}.get(condition, 200)

    def call(self, caller: str) -> Phone:
        if caller == "trunk":
            asserted = ("P-Asserted-Identity", f"<sip:{ABROAD_CALLER}@192.0.2.50>")
            self.carrier_in.invite(BOB, extra=[asserted], from_=f"<sip:{ABROAD_CALLER}@192.0.2.50>")
            return self.carrier_in
        self.alice.invite("bob" if caller == "line" else "141" + "01632960002")
        return self.alice

    def rows(self) -> list[Cdr]:
        cdrs = self.house.journal.cdrs()
        return sorted((row for row in cdrs if row.call_id == cdrs[-1].call_id), key=lambda row: row.leg)

    def assert_money_adds_up(self) -> None:
        """Each account has lost what its legs cost, and the ledger says the same."""
        costs: Counter[int] = Counter()
        for row in self.house.journal.cdrs():
            if row.cost_micros:
                assert row.payer_account_id is not None
                costs[row.payer_account_id] += row.cost_micros
        ledger: Counter[int] = Counter()
        for entry in self.house.journal.usage():
            ledger[entry.account_id] -= entry.amount_micros
        assert ledger == costs
        for account_id, before in self.before.items():
            assert before - self.house.balance(account_id) == costs[account_id]


def rang_s(row: Cdr) -> float:
    """From the first ring to the answer, or to the end."""
    until = row.ended_at_ms if row.answered_at_ms is None else row.answered_at_ms
    return 0.0 if row.ringing_at_ms is None else (until - row.ringing_at_ms) / 1000


def approx(expected: object) -> object:
    """What a few messages take does not count."""
    return pytest.approx(expected, abs=0.15)


def shown_number(invite: Request) -> str:
    return (invite.headers.get("from") or "").partition(";tag")[0]


@pytest.mark.parametrize(("condition", "caller", "destination"), MATRIX)
def test_divert(condition: DivertCondition, caller: str, destination: str) -> None:
    kind, where = _KINDS[destination]
    street = Street((Divert(condition, kind, where, ring_s=RING_S if condition is NO_REPLY else 0),))
    street.let_bob_be(condition)
    phone = street.call(caller)
    if condition is NO_REPLY and destination != "dead":
        street.house.run(RING_S - 0.5)
        assert not street.carol.requests_of("INVITE") and not street.carrier_out.requests_of("INVITE")
        assert street.voicemail.asked == []
        street.house.run(1.5)
    street.house.run(2)
    if destination == "dead":
        _assert_the_caller_hears_what_bob_came_to(street, phone, condition)
        return
    assert phone.statuses[-1] == 200
    _assert_the_target_is_told(street, condition, caller, destination)
    street.house.run(TALK_S)
    phone.hang_up()
    street.house.run(1)
    _assert_the_records(street, condition, caller, destination)
    street.assert_money_adds_up()
    street.house.assert_clean()


def _assert_the_caller_hears_what_bob_came_to(
    street: Street, phone: Phone, condition: DivertCondition
) -> None:
    if condition is NO_REPLY:  # nowhere to go on to: the phones ring on, until nobody has answered
        assert phone.statuses[-1] == 180
        street.house.run(130)
    expected = {ALL: 480, BUSY: 486, NO_REPLY: 480, UNREACHABLE: 480, DECLINED: 603}[condition]
    assert phone.statuses[-1] == expected
    # The words of the refusal are no part of the way.
    first, *own = [row for row in street.rows() if not row.leg_reason.startswith("announcement")]
    assert first.sip_status == expected and first.answered_at_ms is None
    assert f"{NOT_SENT_ON}not_registered" in first.decisions
    assert [(row.line, row.outcome) for row in own] == ([("bob", OWN[condition])] if OWN_RINGS_S[condition] else [])
    assert [rang_s(row) for row in own] == approx([120.0 if condition is NO_REPLY else 0.2] * len(own))
    assert all(row.cost_micros == 0 for row in (first, *own))
    street.assert_money_adds_up()
    street.house.assert_clean()


def _assert_the_target_is_told(
    street: Street, condition: DivertCondition, caller: str, destination: str
) -> None:
    target = {"line": street.carol, "trunk": street.carrier_out, "voicemail": street.voicemail}[destination]
    (invite,) = (one for one in target.requests_of("INVITE") if one.to_tag is None)
    expected = {
        "line": f"<sip:{ALICE}@{DOMAIN}>",
        "trunk": f"<sip:{ABROAD_CALLER}@{DOMAIN}>",
        "withheld": '"Anonymous" <sip:anonymous@anonymous.invalid>',
    }[caller]
    assert shown_number(invite) == expected
    if caller == "withheld":
        assert (invite.headers.get("privacy") == "id") is (destination == "trunk")
        if destination != "trunk":
            assert ALICE[3:] not in str(invite.headers)
    diversion = invite.headers.get("diversion") or ""
    assert f"reason={REASONS[condition]}" in diversion
    whose = "bob" if destination == "voicemail" else BOB
    assert diversion.startswith(f"<sip:{whose}@{DOMAIN}>")
    if destination == "trunk":
        assert invite.uri == f"sip:{MOBILE}@192.0.2.60:5060"
        assert ABROAD_CALLER in (invite.headers.get("p-asserted-identity") or "") or caller != "trunk"


def _assert_the_records(street: Street, condition: DivertCondition, caller: str, destination: str) -> None:
    rows = street.rows()
    first, last = rows[0], rows[-1]
    own = rows[1:-1]
    assert [row.outcome for row in own] == ([OWN[condition]] if OWN[condition] else [])
    assert all(row.line == "bob" and row.cost_micros == 0 for row in own)
    assert [row.leg_reason for row in own] == ["a phone of line bob"] * len(own)
    assert [rang_s(row) for row in own] == approx([OWN_RINGS_S[condition]] * len(own))
    # Who calls is the same on every record, with both numbers and what he wants shown.
    number = ABROAD_CALLER if caller == "trunk" else ALICE
    assert {(row.network_number, row.presentation_number) for row in rows} == {(number, number)}
    assert {row.privacy for row in rows} == {"id" if caller == "withheld" else ""}
    # The caller hears ringing from the first phone's on, the last one rings for its own time.
    waited_s = (last.setup_at_ms - first.setup_at_ms) / 1000
    assert waited_s == approx(OWN_RINGS_S[condition])
    assert [last.ringing_at_ms is None, rang_s(last)] == (
        [True, 0.0] if destination == "voicemail" else [False, approx(0.5)]
    )
    rings_until = first.answered_at_ms or 0
    begins = [row.ringing_at_ms for row in (*own, last) if row.ringing_at_ms is not None]
    assert (rings_until - (first.ringing_at_ms or rings_until)) / 1000 == approx(
        (rings_until - min(begins, default=rings_until)) / 1000
    )
    # The caller pays for calling bob, or the carrier for bringing the call, and nothing for what bob does with it.
    assert (first.payer_account_id, first.account_id) == ((None, None) if caller == "trunk" else (1, 1))
    assert first.cost_micros == (0 if caller == "trunk" else 70_000)
    assert last.outcome == "answered"
    assert last.leg_reason.startswith(f"divert_{condition.value}")
    if destination == "voicemail":
        assert (last.payer_account_id, last.cost_micros, last.account_id) == (None, 0, 2)
        return
    assert last.payer_account_id == 2
    assert "line bob" in last.leg_reason
    if destination == "trunk":
        assert (last.trunk, last.destination, last.rate_prefix) == ("out", MOBILE, "+447")
        assert last.billed_s == -(-last.duration_ms // 1000) >= TALK_S
        assert (
            last.cost_micros == 10_000 + last.billed_s * 1_000
        )  # connect fee, 60 000 a minute by the second
    else:
        assert (last.line, last.account_id) == ("carol", 3)
        assert last.cost_micros == 70_000  # on-net: connect fee and two minutes
    assert last.network_number == first.network_number
    assert abs(last.duration_ms - first.duration_ms) < 200


def test_the_destinations_of_a_condition_are_tried_in_order_each_for_its_own_time() -> None:
    street = Street(
        (
            Divert(BUSY, DivertKind.LINE, "carol", answer_s=8),
            Divert(BUSY, DivertKind.NUMBER, MOBILE, answer_s=12),
            Divert(BUSY, DivertKind.VOICEMAIL),
        )
    )
    street.let_bob_be(BUSY)
    street.carol.answer_after_s = street.carrier_out.answer_after_s = None
    street.alice.invite("bob")
    street.house.run(8)
    assert street.carol.requests_of("INVITE") and not street.carrier_out.requests_of("INVITE")
    street.house.run(1.5)
    assert street.carol.requests_of("CANCEL") and street.carrier_out.requests_of("INVITE")
    street.house.run(10)
    assert street.voicemail.asked == []
    street.house.run(2)
    assert street.voicemail.asked == ["deposit.bob"]
    assert street.alice.statuses[-1] == 200
    street.alice.hang_up()
    street.house.run(1)
    assert [row.outcome for row in street.rows()] == [
        "answered",
        "busy",
        "no_answer",
        "no_answer",
        "answered",
    ]
    street.assert_money_adds_up()
    street.house.assert_clean()


@pytest.mark.parametrize(("prompt", "asked"), [("closed", "closed"), ("own.closed", "own.2.closed")])
def test_words_that_a_divert_leads_to_may_be_a_recording_of_the_accounts_own(prompt: str, asked: str) -> None:
    street = Street((Divert(ALL, DivertKind.ANNOUNCEMENT, prompt),))
    street.voicemail.announces(480)
    street.alice.invite("bob")
    street.house.run(5)
    assert [uri.partition(";")[0] for uri in street.voicemail.asked] == [f"announce.{asked}"]
    assert street.alice.statuses[-2:] == [183, 480]
    assert all(row.cost_micros == 0 for row in street.rows())
    assert street.rows()[1].leg_reason == f"divert_all of line bob: words {asked}"
    street.house.assert_clean()
    street.voicemail.go_away()
    street.house.run(5)
    street.alice.invite("bob")
    street.house.run(2)
    assert f"{NOT_SENT_ON}voicemail_unavailable" in street.rows()[0].decisions


def test_a_chain_goes_from_line_to_line_and_each_pays_for_its_own_hop() -> None:
    street = Street((Divert(ALL, DivertKind.NUMBER, CAROL),))
    carol = make_line("carol", 3, diverts=(Divert(BUSY, DivertKind.NUMBER, MOBILE),))
    street.house.exchange.books.lines["carol"] = carol
    street.carol.answer, street.carol.answer_after_s = 486, 0.1
    street.alice.invite("bob")
    street.house.run(2)
    (invite,) = street.carrier_out.requests_of("INVITE")
    assert [value.partition("@")[0] for value in invite.headers.values("diversion")] == [
        f"<sip:{CAROL}",
        f"<sip:{BOB}",
    ]
    street.house.run(TALK_S)
    street.alice.hang_up()
    street.house.run(1)
    rows = street.rows()
    assert [(row.line or row.trunk, row.payer_account_id, row.cost_micros) for row in rows] == [
        ("alice", 1, 70_000),
        ("carol", 2, 0),
        ("out", 3, 10_000 + 1_000 * rows[-1].billed_s),
    ]
    street.assert_money_adds_up()
    street.house.assert_clean()


def test_a_carrier_that_wants_the_history_is_told_the_whole_way_with_its_causes() -> None:
    """RFC 7044 with the causes of RFC 4458; who withholds is marked private."""
    street = Street((Divert(ALL, DivertKind.NUMBER, CAROL),), withholds_cli=True)
    diverts = (Divert(BUSY, DivertKind.NUMBER, MOBILE),)
    street.house.exchange.books.lines["carol"] = make_line("carol", 3, diverts=diverts)
    trunks = street.house.exchange.board.conf.trunks
    wanting = msgspec.structs.replace(trunks["out"], diversion=DiversionHeader.HISTORY_INFO)
    conf = msgspec.structs.replace(street.house.conf, trunks={**trunks, "out": wanting})
    street.house.exchange.take_over(conf, street.house.clock.now)
    street.carol.answer, street.carol.answer_after_s = 486, 0.1
    street.alice.invite("bob")
    street.house.run(2)
    (invite,) = street.carrier_out.requests_of("INVITE")
    assert "diversion" not in invite.headers
    assert invite.headers.values("history-info") == [
        f"<sip:{BOB}@{DOMAIN}?Privacy=history>;index=1",
        f"<sip:{CAROL}@{DOMAIN};cause=302>;index=1.1",
        f"<sip:{MOBILE}@{DOMAIN};cause=486>;index=1.1.1;mp=1.1",
    ]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (["<sip:+442079460000@192.0.2.50>;index=1", f"<sip:{BOB}@192.0.2.50;cause=302>;index=1.1"], "1.1"),
        (["<sip:+442079460000@192.0.2.50>;index=1,<sip:a@b>;index=1.12"], "1.12"),
        (["<sip:+442079460000@192.0.2.50>"], ""),
        (["<sip:+442079460000@192.0.2.50>;index=one"], ""),
    ],
)
def test_a_carriers_history_goes_on_with_ours_in_one_count(told: list[str], expected: str) -> None:
    """RFC 7044 10.3: two entries of one index would tell two stories."""
    street = Street((Divert(ALL, DivertKind.NUMBER, MOBILE),))
    trunks = street.house.exchange.board.conf.trunks
    wanting = msgspec.structs.replace(trunks["out"], diversion=DiversionHeader.HISTORY_INFO)
    conf = msgspec.structs.replace(street.house.conf, trunks={**trunks, "out": wanting})
    street.house.exchange.take_over(conf, street.house.clock.now)
    street.carrier_in.invite(BOB, extra=[("History-Info", value) for value in told])
    street.house.run(2)
    (invite,) = street.carrier_out.requests_of("INVITE")
    index = f"{expected}.1" if expected else "1"
    assert invite.headers.values("history-info") == [
        *(",".join(told).split(",") if expected else []),
        f"<sip:{BOB}@{DOMAIN}>;index={index}",
        f"<sip:{MOBILE}@{DOMAIN};cause=302>;index={index}.1;mp={index}",
    ]


def test_a_circle_ends_at_the_first_line_that_is_met_again() -> None:
    street = Street((Divert(ALL, DivertKind.LINE, "carol"),))
    street.house.exchange.books.lines["carol"] = make_line(
        "carol", 3, diverts=(Divert(ALL, DivertKind.NUMBER, BOB), Divert(ALL, DivertKind.NUMBER, MOBILE))
    )
    street.alice.invite("bob")
    street.house.run(2)
    assert len(street.carrier_out.requests_of("INVITE")) == 1, "what carol has after bob is still asked"
    street.alice.hang_up()
    street.house.run(1)
    street.house.exchange.books.lines["carol"] = make_line(
        "carol", 3, diverts=(Divert(ALL, DivertKind.NUMBER, BOB),)
    )
    street.alice.invite("bob")
    street.house.run(2)
    assert street.alice.statuses[-1] == 480
    assert f"{NOT_SENT_ON}divert_loop" in street.rows()[0].decisions, "or nobody could tell why"
    street.house.assert_clean()


def test_a_call_is_diverted_five_times_at_most_whoever_did_it() -> None:
    street = Street((Divert(ALL, DivertKind.NUMBER, MOBILE),))
    before = [("Diversion", f"<sip:+44207946000{n}@192.0.2.50>;reason=unconditional") for n in range(5)]
    street.carrier_in.invite(BOB, extra=before[:4])
    street.house.run(1)
    assert street.carrier_in.statuses[-1] == 200
    street.carrier_in.hang_up()
    street.house.run(1)
    street.carrier_in.invite(BOB, extra=before)
    street.house.run(1)
    assert street.carrier_in.statuses[-1] == 480
    assert f"{NOT_SENT_ON}diverted_too_often" in street.rows()[0].decisions
    street.house.assert_clean()


HISTORY = [f"<sip:+44207946000{n}@192.0.2.50{';cause=302' if n else ''}>;index=1{'.1' * n}" for n in range(7)]
OLD_HISTORY = [
    f"<sip:a@192.0.2.50?{'' if n else 'Privacy=history&'}Reason=SIP%3Bcause%3D486>;index=1{'.1' * n}"
    for n in range(6)
]
ROUTED = [f"<sip:{BOB}@proxy{n}.example.com>;index=1{'.1' * n};rc=1" for n in range(7)]


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ([("History-Info", HISTORY[:5])], 200),
        ([("History-Info", HISTORY[:6])], 480),
        ([("History-Info", OLD_HISTORY[:4])], 200),
        ([("History-Info", OLD_HISTORY[:5])], 480),
        ([("History-Info", ROUTED)], 200),  # nobody has diverted it
        ([("History-Info", ["<", *HISTORY[:6]])], 480),
        ([("Diversion", ["<sip:+442079460001@192.0.2.50>;counter=4"])], 200),
        ([("Diversion", ["<sip:+442079460001@192.0.2.50>;counter=5"])], 480),
        ([("Diversion", ["<sip:+442079460001@192.0.2.50>;counter=3", "<sip:+442079460002@192.0.2.50>"])], 200),
        ([("Diversion", ["<sip:+442079460001@192.0.2.50>;counter=0"] * 5)], 480),
        ([("Diversion", ["<sip:+442079460001@192.0.2.50>;counter=\u0661\u0661", "<"])], 200),
        ([("Diversion", ["<sip:+442079460001@192.0.2.50>"] * 4), ("History-Info", HISTORY[:5])], 200),
    ],
)
def test_a_carriers_diversions_count_in_whichever_header_it_tells_of_them(
    told: list[tuple[str, list[str]]], status: int
) -> None:
    """Without this, two numbers that lead to each other by way of a carrier would call until the money is gone."""
    street = Street((Divert(ALL, DivertKind.NUMBER, MOBILE),))
    street.carrier_in.invite(BOB, extra=[(name, ", ".join(values)) for name, values in told])
    street.house.run(1)
    assert street.carrier_in.statuses[-1] == status
    assert len(street.carrier_out.requests_of("INVITE")) == (status == 200)


@pytest.mark.parametrize("number", ["999", "+449098790123", "118500", "112", "+44999", "18000"])
def test_no_call_is_sent_on_to_premium_directory_or_emergency_whatever_the_books_say(number: str) -> None:
    street = Street((Divert(ALL, DivertKind.NUMBER, number),))
    street.alice.invite("bob")
    street.house.run(1)
    assert street.alice.statuses[-1] == 480
    assert street.carrier_out.requests_of("INVITE") == []
    street.house.assert_clean()


@pytest.mark.parametrize(
    "changes",
    [{"is_suspended": True}, {"calls_max": 1}, {"tariff": "no such"}],
    ids=["suspended", "full", "no price"],
)
def test_who_may_not_call_may_not_send_calls_on_either(changes: dict[str, object]) -> None:
    street = Street((Divert(ALL, DivertKind.NUMBER, MOBILE),))
    street.house.exchange.books.accounts[2] = make_account(2, **changes)
    if "calls_max" in changes:
        street.house.exchange.board.of_account[2] = 1
    street.alice.invite("bob")
    street.house.run(1)
    assert street.alice.statuses[-1] == 480
    assert street.carrier_out.requests_of("INVITE") == []


def test_without_credit_of_who_diverts_the_next_destination_is_tried() -> None:
    street = Street((Divert(ALL, DivertKind.NUMBER, MOBILE), Divert(ALL, DivertKind.VOICEMAIL)))
    street.house.exchange.engine.debit_usage(2, 4_999_000)
    street.before[2] = 1_000
    street.alice.invite("bob")
    street.house.run(1)
    assert street.voicemail.asked == ["deposit.bob"]
    assert street.carrier_out.requests_of("INVITE") == []
    street.alice.hang_up()
    street.house.run(1)
    assert [row.sip_status for row in street.rows()] == [200, 402, 200]
    street.assert_money_adds_up()
    street.house.assert_clean()


def test_when_the_credit_of_who_diverts_runs_out_the_call_ends_and_the_caller_has_paid_for_his_part() -> None:
    street = Street((Divert(ALL, DivertKind.NUMBER, MOBILE),))
    street.house.exchange.engine.debit_usage(2, 4_900_000)
    street.before[2] = 100_000  # connect fee and 90 seconds
    street.alice.invite("bob")
    street.house.run(120)
    first, second = street.rows()
    assert (second.cost_micros, second.billed_s, second.payer_account_id) == (100_000, 90, 2)
    assert (first.cost_micros, first.ended_by) == (70_000, "credit")
    assert street.alice.requests_of("BYE") and street.carrier_out.requests_of("BYE")
    street.assert_money_adds_up()
    street.house.assert_clean()


def test_a_line_that_refuses_diverts_gets_none() -> None:
    street = Street((Divert(ALL, DivertKind.LINE, "carol"),))
    line = make_line("carol", 3)
    street.house.exchange.books.lines["carol"] = make_line(
        "carol", 3, settings=type(line.settings)(refuses_diverts=True)
    )
    street.alice.invite("bob")
    street.house.run(1)
    assert street.alice.statuses[-1] == 480
    assert street.carol.requests_of("INVITE") == []


def test_a_crash_charges_each_payer_to_the_last_heartbeat() -> None:
    street = Street((Divert(ALL, DivertKind.NUMBER, MOBILE),))
    street.alice.invite("bob")
    street.house.run(31)
    reborn = street.house.killed_and_started_again()
    rows = {row.leg: row for row in reborn.journal.cdrs()}
    assert rows[0].payer_account_id == 1 and rows[0].cost_micros == 40_000
    assert rows[1].payer_account_id == 2 and rows[1].cost_micros == 10_000 + 1_000 * rows[1].billed_s
    assert 29 <= rows[1].billed_s <= 31
    assert {(entry.account_id, entry.leg): -entry.amount_micros for entry in reborn.journal.usage()} == {
        (1, 0): 40_000,
        (2, 1): rows[1].cost_micros,
    }
    assert street.before[2] - reborn.balance(2) == rows[1].cost_micros
