"""Freephone: who is called pays, by where the call comes from, as his credit lasts."""

import pytest

from media.relay.messages import Play
from provisioning.model import AccountChanged, Divert, DivertCondition, DivertKind, LineChanged
from rating.bundle_terms import BundleTerms
from rating.records import Cdr
from rating.tariff import load_tariff
from switch.calls.recovery import HEARTBEAT_KEY, encode_heartbeat, recover
from switch.config import IncomingWithoutCredit, Prepaid
from tests.switch.house import TARIFF_CSV, House, make_account, make_conf, make_line, make_trunk
from tests.switch.relay.relay_stub import RelayStub

OWNED = "+448081570123"
MOBILE, LANDLINE, ABROAD = "+447700900123", "+441632960123", "+15550100123"
INCOMING_CSV = (
    TARIFF_CSV
    + """in:+44808,Freephone,0,0.02,1,1,2020-01-01,
in:mobile:+44808,Freephone from mobiles,0.01,0.06,1,1,2020-01-01,
in:payphone:+44808,Freephone from payphones,0.20,0.10,60,60,2020-01-01,
in:international:+44808,Freephone from abroad,0,0.24,60,1,2020-01-01,
"""
)


class Owner:
    """A line with a freephone number, and a carrier whose customers call it."""

    def __init__(self, *, balance: int = 1_000_000, csv: str = INCOMING_CSV, **prepaid: object) -> None:
        self.house = House(
            conf=make_conf(
                trunks=[make_trunk("carrier", "192.0.2.50")],
                tariff=load_tariff("retail", csv, "inc_vat"),
                prepaid=Prepaid(**prepaid),
            ),
            lines=[make_line("alice"), make_line("bob", 2)],
            accounts=[make_account(1), make_account(2)],
            numbers={OWNED: "alice"},
            balances={1: balance, 2: 0},
        )
        self.alice = self.house.phone("alice", "192.0.2.10")
        self.carrier = self.house.phone("carrier", "192.0.2.50")
        self.alice.register()
        self.alice.requests.clear()

    def call(self, number: str, *, talk_s: float = 61, extra: list[tuple[str, str]] | None = None) -> None:
        identity = [("p-asserted-identity", f"<sip:{number}@192.0.2.50>")] if number else []
        self.carrier.invite(OWNED, extra=identity if extra is None else extra)
        self.house.run(talk_s)
        if self.house.exchange.board.calls:
            self.carrier.hang_up()
        self.house.run(40)

    @property
    def row(self):  # type: ignore[no-untyped-def]
        return self.house.journal.cdrs()[0]


@pytest.mark.parametrize(
    ("number", "prefix", "cost"),
    [
        (MOBILE, "in:mobile:+44808", 10_000 + 61 * 60_000 // 60),
        (LANDLINE, "in:+44808", 61 * 20_000 // 60),
        (ABROAD, "in:international:+44808", 61 * 240_000 // 60),
        ("", "in:+44808", 61 * 20_000 // 60),
    ],
)
def test_the_owner_pays_by_where_the_call_comes_from(number: str, prefix: str, cost: int) -> None:
    owner = Owner()
    owner.call(number, talk_s=61)
    row = owner.row
    assert (row.leg, row.payer_account_id, row.account_id) == (0, 1, None)
    assert (row.rate_prefix, row.billed_s, row.cost_micros) == (prefix, 61, cost)
    assert owner.house.balance() == 1_000_000 - cost
    assert [(entry.account_id, entry.leg, entry.amount_micros) for entry in owner.house.journal.usage()] == [
        (1, 0, -cost)
    ]
    owner.house.assert_clean()


def test_a_payphone_is_told_by_the_carriers_category() -> None:
    owner = Owner()
    owner.call(LANDLINE, extra=[("p-asserted-identity", f"<sip:{LANDLINE};cpc=payphone@192.0.2.50;user=phone>")])
    assert owner.row.rate_prefix == "in:payphone:+44808"
    assert "incoming call from payphone" in owner.row.decisions


def test_a_withheld_number_still_says_where_it_comes_from() -> None:
    owner = Owner()
    owner.call(MOBILE, extra=[("p-asserted-identity", f"<sip:{MOBILE}@192.0.2.50>"), ("privacy", "id")])
    assert owner.row.rate_prefix == "in:mobile:+44808"


def test_without_credit_nobody_rings_and_the_caller_learns_nothing_of_it() -> None:
    owner = Owner(balance=100)
    owner.call(MOBILE)
    assert owner.alice.requests_of("INVITE") == []
    assert owner.carrier.statuses[-1] == 480
    assert "credit" not in (owner.carrier.responses[-1].headers.get("reason") or "")
    assert owner.row.outcome == "owner_no_credit"
    assert "the number's owner: not enough credit" in owner.row.decisions
    assert owner.house.balance() == 100
    owner.house.assert_clean()


def test_the_operator_may_choose_to_put_it_through_for_nothing() -> None:
    owner = Owner(balance=100, incoming_without_credit=IncomingWithoutCredit.CONNECT)
    owner.call(MOBILE)
    row = owner.row
    assert (row.outcome, row.cost_micros, row.payer_account_id) == ("answered", 0, None)
    assert "not charged" in row.decisions
    assert owner.house.balance() == 100
    owner.house.assert_clean()


def test_the_call_ends_with_the_owners_credit() -> None:
    owner = Owner(balance=10_000 + 30 * 1_000)
    owner.call(MOBILE, talk_s=60)
    row = owner.row
    assert (row.ended_by, row.billed_s) == ("credit", 30)
    assert owner.house.balance() == 0
    assert owner.alice.requests_of("BYE")
    owner.house.assert_clean()


def test_who_may_be_an_emergency_service_calling_back_gets_through_and_costs_nothing() -> None:
    owner = Owner(balance=0)
    owner.house.exchange.board.callbacks.note("alice", owner.house.clock.now)
    owner.call(MOBILE)
    row = owner.row
    assert (row.outcome, row.cost_micros, row.payer_account_id) == ("answered", 0, None)


def test_a_line_of_this_exchange_calls_the_number_for_nobodys_money() -> None:
    owner = Owner()
    bob = owner.house.phone("bob", "192.0.2.11")
    bob.register()
    bob.invite("08081570123")
    owner.house.run(30)
    bob.hang_up()
    owner.house.run(40)
    assert [row.cost_micros for row in owner.house.journal.cdrs()] == [0, 0]
    assert owner.house.balance(1) == 1_000_000
    owner.house.assert_clean()


def test_a_call_that_nobody_answers_costs_the_owner_nothing() -> None:
    owner = Owner()
    owner.alice.answer, owner.alice.answer_after_s = 486, 10.0
    owner.carrier.invite(OWNED, extra=[("p-asserted-identity", f"<sip:{MOBILE}@192.0.2.50>")])
    owner.house.run(5)
    assert owner.house.exchange.engine.reservations_count == 1
    owner.house.run(40)
    assert owner.row.cost_micros == 0
    assert owner.house.journal.usage() == []
    assert owner.house.balance() == 1_000_000
    owner.house.assert_clean()


def test_a_tariff_without_such_rows_charges_nothing_and_holds_nothing() -> None:
    owner = Owner(csv=TARIFF_CSV)
    owner.call(MOBILE)
    assert (owner.row.payer_account_id, owner.row.cost_micros) == (None, 0)


def test_a_suspended_owner_is_not_rung() -> None:
    owner = Owner()
    owner.house.exchange.apply_changes(
        [AccountChanged(make_account(1, is_suspended=True))], owner.house.clock.now
    )
    owner.call(MOBILE)
    assert owner.row.outcome == "owner_no_credit"
    assert owner.alice.requests_of("INVITE") == []


def test_the_longest_prefix_wins_and_of_equals_the_origin() -> None:
    csv = TARIFF_CSV + (
        "in:+44808,any,0,0.02,1,1,2020-01-01,\n"
        "in:mobile:+4480,mobile,0,0.06,1,1,2020-01-01,\n"
        "in:unknown:+44808,unknown,0,0.03,1,1,2020-01-01,\n"
    )
    tariff = load_tariff("t", csv, "inc_vat")
    at_ms = 1_700_000_000_000
    names = [tariff.incoming_rate_for(OWNED, origin, at_ms).destination for origin in ("mobile", "unknown", "landline")]
    assert names == ["any", "unknown", "any"]
    assert tariff.incoming_rate_for("+448001234567", "mobile", at_ms).destination == "mobile"
    assert tariff.incoming_rate_for("+441632960001", "mobile", at_ms) is None
    assert tariff.rate_for(OWNED, at_ms).destination == "Freephone"


def test_the_owner_hears_the_pips_and_the_caller_none() -> None:
    owner = Owner(balance=10_000 + 90 * 1_000)
    stub = RelayStub(owner.house)
    stub.arrive()
    owner.call(MOBILE, talk_s=100)
    callee = min(stub.opened)
    [play] = [each for each in stub.said if isinstance(each, Play)]
    assert (play.endpoint, play.name) == (callee, "credit-pips")
    assert stub.opened[callee].label.endswith("1/0")
    assert owner.row.ended_by == "credit"


def test_a_bundle_of_minutes_is_not_for_calls_that_others_make() -> None:
    owner = Owner()
    terms = BundleTerms(
        id=1, account_id=1, revision=1, name="UK", valid_from_ms=0, expires_at_ms=None, granted_s=6_000,
        prefixes=("+44",),
    )  # fmt: skip
    owner.house.exchange.engine.bundles.set(terms)
    owner.call(LANDLINE)
    assert (owner.row.bundled_s, owner.row.cost_micros) == (0, 61 * 20_000 // 60)


def test_a_crash_charges_the_owner_to_the_last_sign_of_life() -> None:
    owner = Owner()
    owner.carrier.invite(OWNED, extra=[("p-asserted-identity", f"<sip:{MOBILE}@192.0.2.50>")])
    owner.house.run(30)
    beat = encode_heartbeat(owner.house.clock.now, owner.house.wall.ms(owner.house.clock.now), [])
    taken: list[tuple[int, int]] = []

    def debit(account_id: int, micros: int) -> int:
        taken.append((account_id, micros))
        return 0

    [ended] = recover({**owner.house.journal.state, HEARTBEAT_KEY: beat}, debit)
    row = next(record for record in ended.outbox if isinstance(record, Cdr) and record.leg == 0)
    assert (row.payer_account_id, row.rate_prefix) == (1, "in:mobile:+44808")
    assert taken == [(1, row.cost_micros)]
    assert row.cost_micros == 10_000 + row.billed_s * 1_000 > 10_000


def test_an_owner_who_diverts_the_call_pays_for_both_parts_on_records_of_their_own() -> None:
    owner = Owner()
    divert = Divert(DivertCondition.ALL, DivertKind.NUMBER, "+447700900999")
    owner.house.exchange.apply_changes(
        [LineChanged(make_line("alice", diverts=(divert,)))], owner.house.clock.now
    )
    owner.carrier.invite(OWNED, extra=[("p-asserted-identity", f"<sip:{LANDLINE}@192.0.2.50>")])
    owner.house.run(62)
    owner.carrier.hang_up()
    owner.house.run(40)
    rows = owner.house.journal.cdrs()
    assert [(row.leg, row.payer_account_id, row.rate_prefix) for row in rows] == [
        (0, 1, "in:+44808"),
        (1, 1, "+447"),
    ]
    assert all(row.cost_micros > 0 for row in rows)
    assert owner.house.balance() == 1_000_000 - sum(row.cost_micros for row in rows)
    assert sorted(entry.leg for entry in owner.house.journal.usage()) == [0, 1]
