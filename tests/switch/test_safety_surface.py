"""What an operator sees of caps, bars and alarms, and how a bar is lifted."""

from prometheus_client import CollectorRegistry, generate_latest

from offhook.commands.account_safety import safety_facts
from provisioning.settings import AccountSettings, Bar
from switch.metrics import SwitchCollector
from tests.switch.calls.test_safety import OPEN, cuba, make_house, outcome_of, phones, watched
from tests.switch.test_operator_surface import Running, ask

SETTINGS = AccountSettings(
    bars=(Bar("mobile", "evening"),),
    operator_bars=(Bar("country:FR"),),
    opted_in=OPEN,
    daily_cap_micros=5_000_000,
)


def test_an_account_shows_caps_what_counts_against_them_and_bars() -> None:
    house = make_house(account=SETTINGS)
    alice, _ = phones(house)
    outcome_of(house, alice, "01632960123")
    alice.invite("01632960123")
    house.run(2)
    live = ask(house, command="account", name="account1")["result"]
    spent = -house.journal.usage()[0].amount_micros
    assert live["reserved_micros"] > 0
    assert live["day_micros"] == live["month_micros"] == spent + live["reserved_micros"]
    assert dict(safety_facts(live)) == {
        "spent today": f"£0.0{(spent + live['reserved_micros']) // 1000} of at most £5.00",
        "spent this month": f"£0.0{(spent + live['reserved_micros']) // 1000}, no cap",
        "bars": "mobile (evening)",
        "operator's bars": "country:FR",
        "opted in": ", ".join(OPEN),
    }
    assert safety_facts(None) == []


def test_automatic_bars_are_listed_shown_counted_and_lifted() -> None:
    house = make_house(
        account=AccountSettings(opted_in=OPEN), safety=watched(countries_at_once=0, short_calls=0)
    )
    alice, _ = phones(house)
    for number in range(4):
        outcome_of(house, alice, cuba(number))
    (bar,) = ask(house, command="fraud_bars")["result"]
    assert (bar["account"], bar["rule"], bar["until_ms"] - bar["since_ms"]) == (
        "account1",
        "new_high_cost",
        24 * 3_600_000,
    )
    facts = dict(safety_facts(ask(house, command="account", name="account1")["result"]))
    assert facts["fraud bar"].startswith("new_high_cost, until ")
    registry = CollectorRegistry()
    registry.register(SwitchCollector(Running(house)))
    text = generate_latest(registry).decode()
    assert 'offhook_alarms_total{rule="new_high_cost"} 1.0' in text
    assert "offhook_fraud_bars 1.0" in text
    assert 'offhook_calls_refused_total{reason="fraud_bar"} 1.0' in text
    assert ask(house, command="clear_alarms", name="account1")["result"] is True
    assert ask(house, command="clear_alarms", name="account1")["result"] is False
    assert ask(house, command="fraud_bars")["result"] == []
    assert "knows no account" in ask(house, command="clear_alarms", name="nobody")["error"]
    assert outcome_of(house, alice, cuba(9)) == "answered"
