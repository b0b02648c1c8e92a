"""An account that is overdue, rung by rung: what it still reaches, who still reaches it, and that 999 always connects.

Named tests for the rows of the UK facts: M18 and C6 (suspended until paid, 999 kept), "Debt" of the contracts section.
"""

import itertools

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioning.model import (
    AccountChanged,
    AccountPlan,
    Divert,
    DivertCondition,
    DivertKind,
    Number,
    NumberChanged,
    PlanChanged,
)
from provisioning.plans.plan_text import read_plan
from provisioning.settings import AccountSettings, Bar, LineSettings, Restriction
from provisioning.settings_rows import json_from_settings, settings_from_json
from rating.money import VatMode
from rating.tariff import load_tariff
from switch.calls.explain import Question, explain
from switch.calls.fraud_record import FraudBar, encode_fraud_bar, fraud_bar_key
from switch.calls.number_plan import E164, Short, read_dialled
from switch.calls.restrictions import restricted
from switch.calls.routing import make_routing
from switch.conf_safety import DEFAULT_SAFETY
from switch.config import CallLimits
from tests.switch.events.watcher import send
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
from tests.switch.messaging.texts import PLAIN
from tests.switch.voicemail_stand_in import StandIn, voicemail_conf
from tests.tables import cases

STEPS = list(Restriction)
OURS = "+443069990123"  # the provider's own number, as [restricted] names it
TARIFF = load_tariff(
    "retail",
    TARIFF_CSV + "+33,France,0,0.5,60,60,2020-01-01,\n",
    "inc_vat",
)


def account_at(step: Restriction, number: int = 1, **changes: object) -> object:
    of_account = msgspec.structs.replace(changes.pop("settings", AccountSettings()), restriction=step)
    return make_account(number, settings=of_account, **changes)


def make_house(step: Restriction = Restriction.NONE, **changes: object) -> House:
    """alice and her desk phone belong to account 1, which is at this step; bob to account 2, which has paid."""
    conf = make_conf(trunks=[make_trunk("carrier", "192.0.2.50")], tariff=TARIFF)
    safety = msgspec.structs.replace(DEFAULT_SAFETY, open_to_restricted=frozenset({OURS}))
    return House(
        conf=voicemail_conf(msgspec.structs.replace(conf, safety=safety)),
        lines=[
            make_line("alice", 1, diverts=changes.pop("diverts", ())),
            make_line("desk", 1),
            make_line("bob", 2, diverts=changes.pop("bobs_diverts", ())),
        ],
        accounts=[
            account_at(step, settings=AccountSettings(opted_in=("premium", "international")), **changes),
            make_account(2),
        ],
        numbers={"+441632960001": "alice", "+441632960002": "desk", "+441632960003": "bob"},
    )


def phones(house: House) -> tuple[Phone, Phone, Phone]:
    alice, bob = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.30")
    alice.register()
    bob.register()
    alice.statuses.clear()
    bob.statuses.clear()
    return alice, bob, house.phone("carrier", "192.0.2.50")


def set_step(house: House, step: Restriction) -> None:
    account = house.exchange.books.accounts[1]
    changed = msgspec.structs.replace(account.settings, restriction=step)
    house.exchange.apply_changes(
        [AccountChanged(msgspec.structs.replace(account, settings=changed))], house.clock.now
    )


# The table: each rung, each class of number. y: it may be called.

LADDER = """
# dialled          none  premium  outgoing  suspended  ceased
  01632960999      y     y        n         n          n
  02079460123      y     y        n         n          n
  03069990456      y     y        n         n          n
  07700900123      y     y        n         n          n
  05601056056      y     y        n         n          n
  07624123456      y     y        n         n          n
  01534960123      y     y        n         n          n
  08081570123      y     y        y         n          n
  08001111         y     y        y         n          n
  116123           y     y        y         n          n
  116117           y     y        y         n          n
  101              y     y        y         n          n
  105              y     y        y         n          n
  111              y     y        y         n          n
  119              y     y        y         n          n
  195              y     y        y         n          n
  159              y     y        n         n          n
  123              y     y        n         n          n
  09098790123      y     n        n         n          n
  118500           y     n        n         n          n
  08443069990      y     n        n         n          n
  08713069990      y     n        n         n          n
  07012345678      y     n        n         n          n
  0033123456789    y     n        n         n          n
  00881612345678   y     n        n         n          n
  03069990123      y     y        y         y          n
  01632960002      y     y        y         n          n
  01632960003      y     y        n         n          n
"""


@pytest.fixture(scope="module")
def board() -> object:
    return make_house().exchange.board


@pytest.mark.parametrize(("dialled", "none", "premium", "outgoing", "suspended", "ceased"), cases(LADDER))
def test_debt_each_rung_and_each_class_of_number(
    board: object, dialled: str, none: str, premium: str, outgoing: str, suspended: str, ceased: str
) -> None:
    destination = read_dialled(dialled, board.conf.routing.plan).destination
    assert isinstance(destination, (E164, Short))
    found = ["n" if restricted(account_at(step), destination, None, board) else "y" for step in STEPS]
    assert found == [none, premium, outgoing, suspended, ceased]


def test_each_rung_takes_away_and_gives_nothing_back(board: object) -> None:
    """The order of the steps is the order of what they take."""
    dialled = [row.values[0] for row in cases(LADDER)]
    reached: list[set[str]] = []
    for step in STEPS:
        open_ = set()
        for number in dialled:
            destination = read_dialled(number, board.conf.routing.plan).destination
            if restricted(account_at(step), destination, None, board) is None:
                open_.add(number)
        reached.append(open_)
    assert all(later < earlier for earlier, later in itertools.pairwise(reached))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("dialled", ["999", "112", "18000", "141999", "1470112"])
def test_emergency_fixtures_at_each_rung(step: Restriction, dialled: str) -> None:
    """uk.md (T): price 0, at a balance of -5 pounds, with everything else barred; PAI present, no Privacy."""
    house = make_house(step, is_suspended=True)
    house.exchange.engine.apply_credit(1, 1, -15_000_000)
    alice, _, carrier = phones(house)
    alice.invite(dialled, extra=[("Privacy", "id")])
    house.run(3)
    assert alice.statuses[-1] == 200
    request = carrier.requests_of("INVITE")[0]
    assert request.headers.get("privacy") is None
    assert request.headers.get("p-asserted-identity") == "<sip:+441632960001@example.com>"
    alice.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert (row.is_emergency, row.cost_micros, row.payer_account_id) == (True, 0, None)
    house.assert_clean()


BROKEN = st.fixed_dictionaries(
    {
        "step": st.sampled_from(STEPS),
        "dialled": st.sampled_from(["999", "112", "18000", "141999", "1470112", "+44999", "urn:service:sos"]),
        "is_suspended": st.booleans(),
        "tariff": st.sampled_from(["retail", "missing"]),
        "vat": st.sampled_from(list(VatMode)),
        "balance": st.sampled_from([10_000_000, 0, -5_000_000]),
        "is_barred": st.booleans(),
        "has_fraud_bar": st.booleans(),
        "is_full": st.booleans(),
        "is_draining": st.booleans(),
        "journal": st.sampled_from(["at once", "never"]),
        "journal_failed": st.booleans(),
        "caps": st.sampled_from([None, 0]),
    }
)


@given(BROKEN)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_an_emergency_call_connects_at_every_step_whatever_else_is_broken(broken: dict[str, object]) -> None:
    everything = (Bar("all"),) if broken["is_barred"] else ()
    state = {}
    if broken["has_fraud_bar"]:
        bar = FraudBar(1, "new_high_cost", round(STARTED_AT_S * 1000), round(STARTED_AT_S * 1000) + 10**9)
        state[fraud_bar_key(1)] = encode_fraud_bar(bar)
    of_account = AccountSettings(
        operator_bars=everything,
        daily_cap_micros=broken["caps"],
        monthly_cap_micros=broken["caps"],
        blocked_destinations=("+44*",) if broken["is_barred"] else (),
        restriction=broken["step"],
    )
    one = 1 if broken["is_full"] else 0
    house = House(
        conf=make_conf(
            trunks=[make_trunk("carrier", "192.0.2.50", calls_max=one)],
            calls=CallLimits(calls_max=one or 100),
        ),
        lines=[make_line("alice", calls_max=one, settings=LineSettings(operator_bars=everything))],
        accounts=[
            make_account(
                settings=of_account,
                is_suspended=broken["is_suspended"],
                tariff=broken["tariff"],
                vat=broken["vat"],
                calls_max=one,
            )
        ],
        numbers={"+441632960001": "alice"},
        balances={1: broken["balance"]},
        state=state,
    )
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("carrier", "192.0.2.50")
    alice.register()
    alice.invite("999")  # the first fills every limit there is
    house.run(2)
    house.journal.durable = broken["journal"]
    house.journal.is_failed = broken["journal_failed"]
    if broken["is_draining"]:
        house.exchange.board.is_draining = True
    uri = broken["dialled"] if ":" in broken["dialled"] else ""
    alice.invite("" if uri else broken["dialled"], uri=uri)
    house.run(3)
    assert alice.statuses[-1] == 200
    assert len(carrier.requests_of("INVITE")) == 2


# What is refused, how it is told, what is on record


@pytest.mark.parametrize("step", STEPS[1:])
def test_who_is_refused_hears_why_and_whom_to_pay_and_it_is_on_record(step: Restriction) -> None:
    house = make_house(step)
    voicemail = StandIn(house)
    voicemail.announces(403)
    alice, _, carrier = phones(house)
    alice.invite("09098790123")
    house.run(5)
    assert alice.statuses[-1] == 403
    assert voicemail.asked == ["announce.account-overdue;status=403;cause=21"]
    row = house.journal.cdrs()[0]
    assert row.outcome == (
        "account_restricted"
        if step is not Restriction.SUSPENDED and step is not Restriction.CEASED
        else "account_closed"
    )
    assert "paid" in row.reason or step is Restriction.CEASED
    assert carrier.requests == []
    assert house.balance() == 10_000_000
    house.assert_clean()


def test_route_explain_names_the_step() -> None:
    house = make_house(Restriction.OUTGOING)
    phones(house)
    at_ms = round(STARTED_AT_S * 1000)
    lines = explain(Question("alice", "01632960999", at_ms), house.exchange.board, house.clock.now)
    assert any(
        "account_restricted" in line and "outgoing calls are stopped until the account is paid" in line
        for line in lines
    )
    lines = explain(Question("alice", "08081570123", at_ms), house.exchange.board, house.clock.now)
    assert not any("account_restricted" in line for line in lines)


def test_a_caller_of_a_suspended_account_is_told_nothing_of_its_bills() -> None:
    house = make_house(Restriction.SUSPENDED)
    _, bob, _ = phones(house)
    bob.invite("01632960001")
    house.run(2)
    final = bob.responses[-1]
    assert final.status == 480
    told = " ".join((final.reason, final.headers.get("reason") or "", final.headers.get("warning") or ""))
    assert not any(word in told.lower() for word in ("paid", "debt", "overdue", "suspended", "bill"))
    assert house.journal.cdrs()[0].outcome == "callee_out_of_service"


# Who still reaches it


@pytest.mark.parametrize("step", STEPS)
def test_incoming_calls_ring_until_the_last_steps(step: Restriction) -> None:
    house = make_house(step)
    alice, bob, carrier = phones(house)
    comes_in = step not in (Restriction.SUSPENDED, Restriction.CEASED)
    for caller in (bob, carrier):
        before = len(alice.requests_of("INVITE"))
        caller.invite("+441632960001", from_="<sip:+441632960777@192.0.2.50>" if caller is carrier else "")
        house.run(2)
        assert (len(alice.requests_of("INVITE")) > before) is comes_in
        assert (caller.statuses[-1] == 200) is comes_in
        if comes_in:
            caller.hang_up()
        house.run(40)
    house.assert_clean()


def test_the_emergency_service_reaches_even_a_suspended_line_that_has_called_it() -> None:
    house = make_house(Restriction.SUSPENDED)
    alice, _, carrier = phones(house)
    alice.invite("999")
    house.run(2)
    alice.hang_up()
    house.run(1)
    carrier.invite("+441632960001", from_="<sip:+441632960777@192.0.2.50>")
    house.run(2)
    assert alice.requests_of("INVITE")


PLAN = """
start = "desk"
[desk]
group = ["line alice", "line desk"]
strategy = "together"
else = "mobile"
[mobile]
number = "07700 900456"
"""


def test_its_own_lines_still_take_its_callers_and_its_mobile_does_not() -> None:
    """A plan and a divert to a line of the account are incoming calls; one to a mobile costs the account money."""
    house = make_house(Restriction.OUTGOING)
    alice, bob, carrier = phones(house)
    house.exchange.apply_changes(
        [
            PlanChanged(AccountPlan(1, "main", 1, read_plan(PLAN))),
            NumberChanged(Number("+441632960009", "desk", "main")),
        ],
        house.clock.now,
    )
    bob.invite("01632960009")
    house.run(2)
    assert alice.requests_of("INVITE") and bob.statuses[-1] == 200
    bob.hang_up()
    alice.answer = 486
    bob.invite("01632960009")
    house.run(30)
    assert bob.statuses[-1] == 480
    assert carrier.requests == []


@pytest.mark.parametrize(
    ("to", "kind", "is_sent_on"),
    [
        ("desk", DivertKind.LINE, True),
        ("+441632960002", DivertKind.NUMBER, True),
        ("bob", DivertKind.LINE, False),
        ("+447700900123", DivertKind.NUMBER, False),
        ("+33123456789", DivertKind.NUMBER, False),
        ("+448081570123", DivertKind.NUMBER, True),
    ],
)
def test_diverts_of_the_account_meet_its_restriction(to: str, kind: DivertKind, is_sent_on: bool) -> None:
    house = make_house(Restriction.OUTGOING, diverts=(Divert(DivertCondition.ALL, kind, to),))
    _, bob, carrier = phones(house)
    desk = house.phone("desk", "192.0.2.20")
    desk.register()
    bob.invite("alice")
    house.run(3)
    assert (bob.statuses[-1] == 200) is is_sent_on
    assert (bool(carrier.requests_of("INVITE")) or bool(desk.requests_of("INVITE"))) is is_sent_on


def test_a_divert_of_somebody_else_to_a_suspended_line_goes_on_to_his_next_destination() -> None:
    diverts = (
        Divert(DivertCondition.ALL, DivertKind.LINE, "alice"),
        Divert(DivertCondition.ALL, DivertKind.NUMBER, "+447700900123"),
    )
    house = make_house(Restriction.SUSPENDED, bobs_diverts=diverts)
    alice, _, carrier = phones(house)
    other = house.phone("carrier", "192.0.2.50") if carrier is None else carrier
    other.invite("+441632960003", from_="<sip:+441632960777@192.0.2.50>")
    house.run(3)
    assert not alice.requests_of("INVITE")
    assert [request.uri for request in carrier.requests_of("INVITE")] == ["sip:+447700900123@192.0.2.50:5060"]


def test_a_transfer_of_the_account_meets_its_restriction() -> None:
    house = make_house(Restriction.OUTGOING)
    alice, bob, carrier = phones(house)
    bob.invite("alice")
    house.run(2)
    for to, is_sent_on in (("07700900123", False), ("08081570123", True)):
        dialog = alice.dialogs[-1]
        refer = dialog.create_request("REFER", contact=f"<{alice.contact}>")
        refer.headers.add("refer-to", f"<sip:{to}@example.com>")
        alice.stack.send_request(refer, alice.flow, alice, house.clock.now)
        house.run(3)
        assert bool(carrier.requests_of("INVITE")) is is_sent_on


@pytest.mark.parametrize(
    ("step", "to", "status"),
    [
        (Restriction.NONE, "bob", 200),
        (Restriction.PREMIUM_AND_INTERNATIONAL, "bob", 200),
        (Restriction.OUTGOING, "bob", 403),
        (Restriction.SUSPENDED, "desk", 403),
    ],
)
def test_whom_the_account_may_not_call_it_may_not_write_to(step: Restriction, to: str, status: int) -> None:
    house = make_house(step)
    alice, _, _ = phones(house)
    house.phone("desk", "192.0.2.20").register()
    response = send(alice, "MESSAGE", to, PLAIN, b"Please call.")
    assert response.status == status


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("code", ["1571", "1471", "*21*01632960002#"])
def test_the_mailbox_and_the_codes_are_there_until_the_account_is_suspended(
    step: Restriction, code: str
) -> None:
    house = make_house(step)
    StandIn(house)
    alice, _, _ = phones(house)
    alice.invite(code)
    house.run(3)
    label = house.journal.cdrs()[0].outcome if house.journal.cdrs() else ""
    assert (label == "account_closed") is (step in (Restriction.SUSPENDED, Restriction.CEASED))


# A running exchange


def test_set_and_lifted_it_counts_at_once_and_a_call_that_is_up_goes_on() -> None:
    house = make_house()
    alice, _, _ = phones(house)
    alice.invite("01632960999")
    house.run(2)
    assert alice.statuses[-1] == 200
    for step in STEPS[2:]:
        set_step(house, step)
        house.run(30)
        assert len(house.exchange.board.calls) == 1
        alice.invite("01632960998")
        house.run(2)
        assert alice.statuses[-1] == 403
    set_step(house, Restriction.NONE)
    alice.invite("01632960998")
    house.run(2)
    assert alice.statuses[-1] == 200
    while alice.dialogs:
        alice.hang_up()
        house.run(40)
    house.assert_clean()


def test_a_step_that_this_release_does_not_know_stops_outgoing_calls_and_no_more() -> None:
    found = settings_from_json(
        AccountSettings, '{"restriction": "of_next_year", "opted_in": ["premium"]}', "Shop"
    )
    assert found == AccountSettings(opted_in=("premium",), restriction=Restriction.OUTGOING)
    assert settings_from_json(AccountSettings, json_from_settings(found), "Shop") == found
    assert json_from_settings(AccountSettings()) == "{}"


def test_the_providers_short_number_stays_open() -> None:
    conf = make_conf(trunks=[make_trunk("carrier", "192.0.2.50")])
    plan = conf.routing.plan
    plan.extra_short_codes = frozenset({"150"})
    routing = make_routing(
        {"+": ("carrier",), "1": ("carrier",)}, emergency_trunks=("carrier",), version="r", plan=plan
    )
    safety = msgspec.structs.replace(DEFAULT_SAFETY, open_to_restricted=frozenset({"150"}))
    house = House(
        conf=msgspec.structs.replace(conf, routing=routing, safety=safety),
        lines=[make_line("alice")],
        accounts=[account_at(Restriction.SUSPENDED)],
    )
    found = read_dialled("150", house.exchange.board.conf.routing.plan).destination
    assert restricted(account_at(Restriction.SUSPENDED), found, None, house.exchange.board) is None
    assert restricted(account_at(Restriction.CEASED), found, None, house.exchange.board) is not None
