"""Bars, high-cost destinations, fraud rules and caps in the whole exchange; emergency calls through all of it."""

import msgspec
import pytest

from provisioning.model import AccountChanged
from provisioning.settings import AccountSettings, Bar, LineSettings
from rating.records import Alarm
from rating.tariff import load_tariff
from switch.calls.fraud_record import FraudBar, encode_fraud_bar, fraud_bar_key
from switch.calls.high_cost import HighCost
from switch.conf_safety import FraudRule, FraudSettings, Safety
from switch.config import CallLimits
from tests.switch.house import (
    DOMAIN,
    STARTED_AT_S,
    TARIFF_CSV,
    House,
    Phone,
    make_account,
    make_conf,
    make_line,
    make_trunk,
)

TARIFF = load_tariff(
    "retail",
    TARIFF_CSV
    + "".join(
        f"{prefix},{name},0,{price},1,1,2020-01-01,\n"
        for prefix, name, price in (
            ("+33", "France", "0.02"),
            ("+34", "Spain", "0.02"),
            ("+53", "Cuba", "0.90"),
            ("+252", "Somalia", "0.90"),
            ("+881", "Satellite", "5"),
            ("+4490", "Premium", "1.50"),
            ("116", "Social", "0"),
            ("101", "Police", "0"),
        )
    ),
    "inc_vat",
)
FRAUD = FraudSettings(new_high_cost_per_minute=2, short_calls=3, short_call_s=10, countries_at_once=2)
OPEN = ("premium", "satellite", "country:CU", "country:SO")


def make_house(
    *,
    line: LineSettings = LineSettings(),  # noqa: B008 - frozen
    account: AccountSettings = AccountSettings(),  # noqa: B008
    safety: Safety | None = None,
    balance: int = 1_000_000_000,
    state: dict[str, bytes] | None = None,
    **changes: object,
) -> House:
    conf = make_conf(trunks=[make_trunk("carrier", "192.0.2.50")], tariff=TARIFF)
    return House(
        conf=msgspec.structs.replace(conf, safety=safety) if safety else conf,
        lines=[make_line("alice", settings=line, **changes), make_line("bob")],
        accounts=[make_account(settings=account)],
        balances={1: balance},
        state=state,
    )


def phones(house: House) -> tuple[Phone, Phone]:
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("carrier", "192.0.2.50")
    alice.register()
    alice.statuses.clear()
    return alice, carrier


def outcome_of(house: House, alice: Phone, dialled: str) -> str:
    before = len(house.journal.cdrs())
    alice.invite(dialled)
    house.run(3)
    if len(house.journal.cdrs()) == before:
        alice.hang_up()
        house.run(3)
    return house.journal.cdrs()[before].outcome


def alarms(house: House) -> list[Alarm]:
    return [record for record in house.journal.records if isinstance(record, Alarm)]


# Bars


@pytest.mark.parametrize(
    ("settings", "dialled", "outcome"),
    [
        (LineSettings(bars=(Bar("mobile"),)), "07700900123", "barred"),
        (LineSettings(bars=(Bar("mobile"),)), "01632960123", "answered"),
        (LineSettings(operator_bars=(Bar("country:FR"),)), "0033123456789", "barred"),
        (LineSettings(bars=(Bar("all"),)), "bob", "barred"),
        (LineSettings(bars=(Bar("all"),)), "08081570123", "barred"),
        (LineSettings(bars=(Bar("all"),)), "116123", "barred"),
        (LineSettings(bars=(Bar("national"), Bar("international"), Bar("mobile"))), "116123", "answered"),
        (LineSettings(bars=(Bar("national"), Bar("international"), Bar("mobile"))), "101", "answered"),
        (LineSettings(bars=(Bar("national"),)), "14101632960123", "barred"),
        (LineSettings(bars=(Bar("national"),)), "1800101632960123", "barred"),
    ],
)
def test_a_bar_of_the_line(settings: LineSettings, dialled: str, outcome: str) -> None:
    house = make_house(line=settings)
    alice, carrier = phones(house)
    assert outcome_of(house, alice, dialled) == outcome
    if outcome == "barred":
        row = house.journal.cdrs()[0]
        assert (row.sip_status, row.q850_cause, row.ended_by) == (403, 21, "exchange")
        assert "can lift it" in row.reason
        assert carrier.requests == []
        assert house.exchange.counts.refusals == {"barred": 1}


def test_a_bar_of_the_account_and_its_end() -> None:
    house = make_house(account=AccountSettings(operator_bars=(Bar("mobile"),)))
    alice, _ = phones(house)
    assert outcome_of(house, alice, "07700900123") == "barred"
    house.exchange.apply_changes([AccountChanged(make_account())], house.clock.now)
    assert outcome_of(house, alice, "07700900123") == "answered"


# High-cost destinations


@pytest.mark.parametrize("dialled", ["09098790123", "00881612345678", "005371234567"])
def test_a_high_cost_destination_needs_opting_in(dialled: str) -> None:
    house = make_house()
    alice, _ = phones(house)
    assert outcome_of(house, alice, dialled) == "not_opted_in"
    opened = make_account(settings=AccountSettings(opted_in=OPEN))
    house.exchange.apply_changes([AccountChanged(opened)], house.clock.now)
    assert outcome_of(house, alice, dialled) == "answered"
    house.run(40)
    house.assert_clean()


def test_only_so_many_calls_to_them_at_once() -> None:
    house = make_house(
        account=AccountSettings(opted_in=OPEN),
        safety=Safety(HighCost(("premium",)), 2, FraudSettings(bar_on=())),
    )
    alice, _ = phones(house)
    for _ in range(3):
        alice.invite("09098790123")
        house.run(2)
    assert [row.outcome for row in house.journal.cdrs()] == ["high_cost_calls_limit"]
    assert house.exchange.board.safety.of_high_cost == {1: 2}
    alice.hang_up()
    house.run(40)
    assert outcome_of(house, alice, "07700900123") == "answered"
    assert house.exchange.board.safety.of_high_cost == {1: 1}
    assert outcome_of(house, alice, "09098790123") == "answered"


# Fraud


def cuba(number: int) -> str:
    return f"0053712345{number:02}"


def watched(**changes: object) -> Safety:
    return Safety(HighCost(OPEN), 100, msgspec.structs.replace(FRAUD, **changes))


def test_many_new_dear_calls_bar_the_account_from_them_and_no_others() -> None:
    house = make_house(
        account=AccountSettings(opted_in=OPEN), safety=watched(countries_at_once=0, short_calls=0)
    )
    alice, _ = phones(house)
    assert [outcome_of(house, alice, cuba(number)) for number in range(4)] == [*["answered"] * 3, "fraud_bar"]
    assert outcome_of(house, alice, "0033123456789") == "fraud_bar"
    assert outcome_of(house, alice, "01632960123") == "answered"
    (alarm,) = alarms(house)
    assert (alarm.account_id, alarm.rule) == (1, "new_high_cost")
    assert alarm.bar_until_ms == alarm.at_ms + 24 * 3_600_000
    assert house.exchange.board.safety.alarms == {"new_high_cost": 1}


def test_an_automatic_bar_survives_a_restart_and_ends_by_itself_or_by_hand() -> None:
    house = make_house(account=AccountSettings(opted_in=OPEN), safety=watched(countries_at_once=0))
    alice, _ = phones(house)
    for number in range(3):
        outcome_of(house, alice, cuba(number))
    house = make_house(account=AccountSettings(opted_in=OPEN), safety=watched(), state=house.journal.state)
    alice, _ = phones(house)
    assert outcome_of(house, alice, cuba(1)) == "fraud_bar"
    assert house.exchange.board.safety.clear(1, house.clock.now)
    assert not house.exchange.board.safety.clear(1, house.clock.now)
    assert fraud_bar_key(1) not in house.journal.state
    assert [alarm.rule for alarm in alarms(house)] == ["cleared"]
    assert outcome_of(house, alice, cuba(1)) == "answered"


def test_an_automatic_bar_is_over_when_its_time_is() -> None:
    until_ms = int(STARTED_AT_S * 1000) + 10_000
    state = {fraud_bar_key(1): encode_fraud_bar(FraudBar(1, "new_high_cost", 0, until_ms))}
    house = make_house(account=AccountSettings(opted_in=OPEN), state=state)
    alice, _ = phones(house)
    assert outcome_of(house, alice, cuba(1)) == "fraud_bar"
    house.run(10)
    assert outcome_of(house, alice, cuba(1)) == "answered"
    assert fraud_bar_key(1) not in house.journal.state


def test_a_dear_price_is_enough_where_the_list_names_nothing() -> None:
    safety = Safety(HighCost(()), 0, msgspec.structs.replace(FRAUD, countries_at_once=0))
    house = make_house(safety=safety)
    alice, _ = phones(house)
    assert [outcome_of(house, alice, cuba(number)) for number in range(4)] == [*["answered"] * 3, "fraud_bar"]
    cheap = make_house(safety=safety)
    alice, _ = phones(cheap)
    assert {outcome_of(cheap, alice, f"00331234567{number:02}") for number in range(6)} == {"answered"}


def test_short_calls_and_countries_at_once_raise_an_alarm_once_an_hour() -> None:
    house = make_house(safety=watched())
    alice, _ = phones(house)
    for _ in range(6):
        assert outcome_of(house, alice, "01632960123") == "answered"
    assert [alarm.rule for alarm in alarms(house)] == ["short_calls"]
    for dialled in ("0033123456789", "0034911234567", "0033123456789", "0034911234567"):
        alice.invite(dialled)
        house.run(2)
    assert [(alarm.rule, alarm.bar_until_ms) for alarm in alarms(house)] == [
        ("short_calls", None),
        ("countries_at_once", None),
    ]
    assert not house.exchange.board.safety.fraud_bars


def test_free_calls_and_calls_between_lines_are_no_short_calls() -> None:
    house = make_house(safety=watched())
    alice, _ = phones(house)
    house.phone("bob", "192.0.2.11").register()
    for dialled in ("bob", "08081570123", "116123") * 3:
        assert outcome_of(house, alice, dialled) == "answered"
    assert alarms(house) == []
    assert len(house.exchange.board.safety.velocity) == 0


# Spending caps

CAP = 300_000  # at 6p a minute and 1p to connect


def capped(**caps: int) -> AccountSettings:
    return AccountSettings(**caps)


def test_a_cap_ends_a_live_call_at_its_last_paid_second() -> None:
    house = make_house(account=capped(daily_cap_micros=CAP))
    alice, carrier = phones(house)
    alice.invite("07700900123")
    house.run(400)
    assert alice.requests_of("BYE")
    assert carrier.requests_of("BYE")
    row = house.journal.cdrs()[0]
    assert (row.cost_micros, row.billed_s) == (CAP, 290)
    assert (row.reason, row.ended_by, row.outcome) == (
        "the daily spending cap was reached",
        "cap",
        "answered",
    )
    assert outcome_of(house, alice, "07700900123") == "daily_cap"
    assert outcome_of(house, alice, "08081570123") == "answered"
    (alarm,) = alarms(house)
    assert alarm.rule == "daily_cap_near"
    assert "£0.30" in alarm.words
    house.assert_clean()


def test_a_monthly_cap_has_its_own_reason() -> None:
    house = make_house(account=capped(monthly_cap_micros=CAP, daily_cap_micros=10 * CAP))
    alice, _ = phones(house)
    alice.invite("07700900123")
    house.run(400)
    assert house.journal.cdrs()[0].reason == "the monthly spending cap was reached"
    assert outcome_of(house, alice, "07700900123") == "monthly_cap"


def test_credit_that_runs_out_first_is_the_reason() -> None:
    house = make_house(account=capped(daily_cap_micros=CAP), balance=CAP - 1)
    alice, _ = phones(house)
    alice.invite("07700900123")
    house.run(400)
    assert house.journal.cdrs()[0].ended_by == "credit"


def test_a_raised_cap_keeps_the_call_up() -> None:
    house = make_house(account=capped(daily_cap_micros=CAP))
    alice, _ = phones(house)
    alice.invite("07700900123")
    house.run(280)
    house.exchange.apply_changes(
        [AccountChanged(make_account(settings=capped(daily_cap_micros=2 * CAP)))], house.clock.now
    )
    house.run(100)
    assert not alice.requests_of("BYE")


def before_midnight(house: House, seconds: float) -> None:
    """21 September 2026 in London ends at 23:00 UTC."""
    midnight_s = (STARTED_AT_S // 86_400) * 86_400 + 23 * 3600
    house.wall.offset_s = midnight_s - house.clock.now - seconds
    house.run(1)


def test_at_midnight_a_call_has_the_next_days_cap_and_counts_to_it() -> None:
    house = make_house(account=capped(daily_cap_micros=CAP))
    before_midnight(house, 101)
    alice, _ = phones(house)
    alice.invite("07700900123")
    house.run(20)
    alice.hang_up()
    house.run(2)
    alice.invite("07700900123")
    house.run(400)
    first, second = (row for row in house.journal.cdrs() if row.leg == 0)
    assert (second.cost_micros, second.reason) == (CAP, "the daily spending cap was reached")
    totals = house.exchange.engine.totals(1)
    assert (totals.day_micros, totals.month_micros) == (CAP, CAP + first.cost_micros)
    assert [
        entry.at_ms // 1000 < STARTED_AT_S // 86_400 * 86_400 + 23 * 3600 for entry in house.journal.usage()
    ] == [
        True,
        False,
    ]


def test_between_midnight_and_the_next_beat_a_charge_is_still_yesterdays() -> None:
    """So that the ledger, added up by its times, agrees with what was held against the cap."""
    house = make_house(account=capped(daily_cap_micros=CAP))
    alice, _ = phones(house)
    before_midnight(house, 10)
    alice.invite("07700900123")
    house.run(5)
    house.wall.offset_s += 5  # it is past midnight, and no second has been counted since
    alice.hang_up()
    house.link.run(0.5)
    (entry,) = house.journal.usage()
    midnight_ms = house.exchange.engine.period.ends_at_ms
    assert entry.at_ms == midnight_ms - 1
    assert house.exchange.engine.totals(1).day_micros == -entry.amount_micros
    house.run(1)
    assert house.exchange.engine.period.starts_at_ms == midnight_ms
    assert house.exchange.engine.totals(1).day_micros == 0


def test_after_a_crash_the_cut_call_counts_and_the_cap_goes_on() -> None:
    house = make_house(account=capped(daily_cap_micros=CAP))
    alice, _ = phones(house)
    alice.invite("07700900123")
    house.run(100)
    state = dict(house.journal.state)
    # The bench's books know nothing of it: all of it is above their mark.
    again = make_house(account=capped(daily_cap_micros=CAP), state=state)
    (entry,) = again.journal.usage()
    totals = again.exchange.engine.totals(1)
    assert totals.day_micros == totals.month_micros == -entry.amount_micros > 0
    alice, _ = phones(again)
    alice.invite("07700900123")
    again.run(400)
    assert sum(-entry.amount_micros for entry in again.journal.usage()) <= CAP
    assert again.exchange.engine.totals(1).day_micros <= CAP


# Emergency calls, and free ones


def worst_house() -> House:
    """Everything that can be wrong at once."""
    fraud_bar = encode_fraud_bar(
        FraudBar(1, FraudRule.NEW_HIGH_COST.value, 0, int(STARTED_AT_S * 1000) + 10**10)
    )
    return House(
        conf=msgspec.structs.replace(
            make_conf(
                trunks=[make_trunk("carrier", "192.0.2.50", calls_max=1)],
                calls=CallLimits(calls_max=1, calls_per_account_max=1, calls_per_line_max=1),
            ),
            safety=Safety(HighCost(("all",)), 0, FraudSettings(new_high_cost_per_minute=1)),
        ),
        lines=[
            make_line(
                "alice",
                emergency_number="+441632960001",
                emergency_address="1 Test Street",
                withholds_cli=True,
                calls_max=1,
                calls_per_second_max=1,
                settings=LineSettings(
                    does_not_disturb=True,
                    bars=(Bar("all"),),
                    operator_bars=(Bar("all"), Bar("999"), Bar("112")),
                    blocked_destinations=("999", "112", "18000"),
                ),
            )
        ],
        accounts=[
            make_account(
                is_suspended=True,
                tariff="missing",
                calls_max=1,
                settings=AccountSettings(
                    operator_bars=(Bar("all"),), daily_cap_micros=0, monthly_cap_micros=0
                ),
            )
        ],
        balances={1: -5_000_000},
        state={fraud_bar_key(1): fraud_bar},
    )


@pytest.mark.parametrize("account", ["at -5 pounds", "missing"])
@pytest.mark.parametrize(
    ("dialled", "sent"),
    [("999", "999"), ("112", "112"), ("18000", "18000"), ("141999", "999"), ("1470112", "112")],
)
def test_emergency_calls_connect_whatever_is_set_broken_full_or_unpaid(
    dialled: str, sent: str, account: str
) -> None:
    house = worst_house()
    alice, carrier = phones(house)
    board = house.exchange.board
    if account == "missing":
        house.exchange.books.accounts.clear()
    board.is_draining = True
    board.of_line["alice"] = board.of_account[1] = board.of_trunk["carrier"] = 100
    board.call_rates.take("alice", 1, house.clock.now)
    house.journal.durable = "never"
    house.journal.is_failed = True
    alice.invite(dialled, extra=[("Privacy", "id")])
    house.run(3)
    assert alice.statuses[-1] == 200
    request = carrier.requests_of("INVITE")[0]
    assert request.uri == f"sip:{sent}@192.0.2.50:5060"
    assert request.headers.get("p-asserted-identity") == f"<sip:+441632960001@{DOMAIN}>"
    assert request.headers.get("privacy") is None
    alice.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert (row.outcome, row.is_emergency, row.cost_micros, row.payer_account_id) == (
        "answered",
        True,
        0,
        None,
    )
    assert house.balance() == -5_000_000
    assert house.exchange.counts.refusals == {}
    assert alarms(house) == []
    # Any other call meets the ladder.
    board.is_draining = False
    alice.invite("07700900123")
    house.run(3)
    assert len(carrier.requests_of("INVITE")) == 1


@pytest.mark.parametrize("dialled", ["08081570123", "116123"])
def test_free_numbers_need_no_credit_and_no_room_below_a_cap(dialled: str) -> None:
    house = make_house(
        account=capped(daily_cap_micros=0, monthly_cap_micros=0),
        line=LineSettings(bars=(Bar("national"), Bar("mobile"), Bar("premium"), Bar("international"))),
        balance=0,
    )
    alice, _ = phones(house)
    house.journal.is_failed = True
    assert outcome_of(house, alice, dialled) == "answered"
    row = house.journal.cdrs()[0]
    assert (row.cost_micros, house.balance()) == (0, 0)
