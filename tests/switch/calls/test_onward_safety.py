"""Diverted legs meet what keeps their payer from harm: his bars, caps, opt-ins and fraud rules, not the caller's."""

import msgspec
import pytest

from provisioning.model import Divert, DivertCondition, DivertKind
from provisioning.settings import AccountSettings, Bar, LineSettings
from switch.calls.fraud_record import FraudBar, encode_fraud_bar, fraud_bar_key
from switch.calls.high_cost import HighCost
from switch.conf_safety import FraudSettings, Safety
from tests.switch.calls.test_safety import OPEN, TARIFF, alarms
from tests.switch.house import STARTED_AT_S, House, Phone, make_account, make_conf, make_line, make_trunk


def street(
    to: str,
    *,
    kind: DivertKind = DivertKind.NUMBER,
    line: LineSettings = LineSettings(),  # noqa: B008 - frozen
    account: AccountSettings = AccountSettings(),  # noqa: B008
    safety: Safety | None = None,
    state: dict[str, bytes] | None = None,
) -> tuple[House, Phone]:
    """alice (account 1) calls bob (account 2), who diverts all calls."""
    conf = make_conf(trunks=[make_trunk("carrier", "192.0.2.50")], tariff=TARIFF)
    house = House(
        conf=msgspec.structs.replace(conf, safety=safety) if safety else conf,
        lines=[
            make_line("alice", 1, settings=LineSettings(operator_bars=(Bar("mobile"), Bar("international")))),
            make_line("bob", 2, diverts=(Divert(DivertCondition.ALL, kind, to),), settings=line),
            make_line("carol", 2),
        ],
        accounts=[
            make_account(1, settings=AccountSettings(daily_cap_micros=0)),
            make_account(2, settings=account),
        ],
        balances={1: 10**9, 2: 10**9},
        state=state,
    )
    alice = house.phone("alice", "192.0.2.10")
    house.phone("carrier", "192.0.2.50")
    house.phone("carol", "192.0.2.30").register()
    alice.register()
    alice.statuses.clear()
    return house, alice


def rings(house: House, alice: Phone) -> bool:
    alice.invite("bob")
    house.run(3)
    is_up = alice.statuses[-1] == 200
    if is_up:
        alice.hang_up()
    house.run(40)
    house.assert_clean()
    return is_up


@pytest.mark.parametrize(
    ("to", "settings", "is_up"),
    [
        # The bars and the cap of the caller are no business of a leg that somebody else pays.
        ("+447700900123", {}, True),
        ("+447700900123", {"line": LineSettings(bars=(Bar("mobile"),))}, False),
        ("+447700900123", {"account": AccountSettings(operator_bars=(Bar("mobile"),))}, False),
        ("+447700900123", {"account": AccountSettings(daily_cap_micros=0)}, False),
        ("+5371234567", {}, False),
        ("+5371234567", {"account": AccountSettings(opted_in=OPEN)}, True),
        ("carol", {"kind": DivertKind.LINE}, True),
        ("carol", {"kind": DivertKind.LINE, "line": LineSettings(bars=(Bar("all"),))}, False),
    ],
)
def test_a_diverted_leg_meets_the_rules_of_who_diverts(
    to: str, settings: dict[str, object], is_up: bool
) -> None:
    house, alice = street(to, **settings)
    assert rings(house, alice) is is_up


def test_a_fraud_bar_of_who_diverts_stops_the_leg_abroad() -> None:
    bar = FraudBar(2, "new_high_cost", 0, int(STARTED_AT_S * 1000) + 10**9)
    state = {fraud_bar_key(2): encode_fraud_bar(bar)}
    assert not rings(*street("+33123456789", state=state))
    assert rings(*street("+447700900123", state=state))


def test_diverted_calls_count_for_the_fraud_rules_of_who_diverts() -> None:
    fraud = FraudSettings(new_high_cost_per_minute=2, short_calls=0, countries_at_once=0)
    safety = Safety(HighCost(OPEN), 2, fraud)
    house, alice = street("+5371234567", account=AccountSettings(opted_in=OPEN), safety=safety)
    for _ in range(3):
        alice.invite("bob")
        house.run(2)
    # The third met the limit of calls to high-cost destinations at once, of account 2.
    assert house.exchange.board.safety.of_high_cost == {2: 2}
    for _ in range(2):
        alice.hang_up()
        house.run(2)
        alice.invite("bob")
        house.run(2)
    assert [(alarm.account_id, alarm.rule) for alarm in alarms(house)] == [(2, "new_high_cost")]


def test_short_diverted_calls_count_for_who_diverts_and_free_ones_and_lines_do_not() -> None:
    fraud = FraudSettings(new_high_cost_per_minute=0, short_calls=2, countries_at_once=0)
    safety = Safety(HighCost(()), 2, fraud)
    for to, kind, found in (
        ("+447700900123", DivertKind.NUMBER, [(2, "short_calls")]),
        ("+448081570123", DivertKind.NUMBER, []),
        ("carol", DivertKind.LINE, []),
    ):
        house, alice = street(to, kind=kind, safety=safety)
        for _ in range(3):
            alice.invite("bob")
            house.run(3)
            assert alice.statuses[-1] == 200
            alice.hang_up()
            house.run(2)
        assert [(alarm.account_id, alarm.rule) for alarm in alarms(house)] == found


def test_the_cap_of_who_diverts_ends_the_call_and_is_the_reason() -> None:
    cap = 100_000
    house, alice = street("+447700900123", account=AccountSettings(daily_cap_micros=cap))
    alice.invite("bob")
    house.run(200)
    assert alice.requests_of("BYE")
    row = house.journal.cdrs()[0]
    assert (row.reason, row.ended_by, row.cost_micros) == ("the daily spending cap was reached", "cap", 0)
    assert [(entry.account_id, entry.amount_micros) for entry in house.journal.usage()] == [(2, -cap)]
    totals = house.exchange.engine.totals(2)
    assert totals is not None
    assert totals.day_micros == cap
    house.run(40)
    house.assert_clean()
