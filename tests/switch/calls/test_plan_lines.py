"""Lines and numbers that a plan rings, on the whole exchange: what they are told, whose bars and limits hold, and what
the record says of who sent the call there."""

import msgspec
import pytest

from provisioning.model import Divert, DivertKind, Number
from provisioning.plans.plan_text import read_plan
from provisioning.settings import AccountSettings, Bar, LineSettings
from switch.calls.endings import NOT_SENT_ON
from switch.calls.routing import make_routing
from tests.switch.calls.test_plans import MOBILE, OFFICE, STRANGER, Office
from tests.switch.house import DOMAIN, Phone, make_account, make_trunk
from tests.switch.voicemail_stand_in import ALL, BUSY

TEAM = 'start = "team"\n[team]\ngroup = ["line carol", "line dave"]\nring = 8\n'
BOB = 'start = "bob"\n[bob]\nline = "bob"\n'
OTHER = "+441632960009"


def line_of(office: Office, user: str, **changes: object) -> None:
    line = office.house.exchange.books.lines[user]
    office.house.exchange.books.lines[user] = msgspec.structs.replace(line, **changes)


def number_of(office: Office, user: str, e164: str = OTHER, plan: str = "") -> None:
    office.house.exchange.books.numbers[e164] = Number(e164, user, plan=plan)


def call_from_outside(office: Office, seconds: float = 2) -> int:
    office.stranger.invite(OFFICE, from_=f"<sip:{STRANGER}@192.0.2.50>")
    office.house.run(seconds)
    return office.stranger.statuses[-1]


@pytest.mark.parametrize("plan", [TEAM, TEAM.replace("ring = 8", 'strategy = "in_order"'), BOB])
@pytest.mark.parametrize(
    "changes",
    [
        {"settings": AccountSettings(bars=(Bar("all"),))},
        {"settings": AccountSettings(operator_bars=(Bar("national"),))},
        {"is_suspended": True},
        {"calls_max": 1},
    ],
    ids=["all barred", "national barred", "suspended", "full"],
)
def test_what_stops_an_accounts_own_calls_stops_none_that_its_plan_takes(
    plan: str, changes: dict[str, object]
) -> None:
    """A line that is called without a plan is rung, too."""
    office = Office(plan)
    office.house.exchange.books.accounts[2] = make_account(2, **changes)
    office.house.exchange.board.of_account[2] += 1
    assert call_from_outside(office) == 200
    office.house.exchange.board.of_account[2] -= 1
    office.end(office.stranger)


@pytest.mark.parametrize("changes", [{"settings": AccountSettings(bars=(Bar("mobile"),))}, {"is_suspended": True}])
def test_they_stop_what_a_plan_calls_outside(changes: dict[str, object]) -> None:
    office = Office(f'start = "out"\n[out]\nnumber = "{MOBILE}"\n')
    office.house.exchange.books.accounts[2] = make_account(2, **changes)
    assert call_from_outside(office) == 480
    assert office.mobile.requests_of("INVITE") == []
    office.end(office.stranger)


def test_phones_that_ring_together_are_no_calls_of_the_account() -> None:
    office = Office(TEAM)
    office.carol.answer_after_s = office.dave.answer_after_s = None
    call_from_outside(office)
    assert office.carol.requests_of("INVITE") and office.dave.requests_of("INVITE")
    assert office.house.exchange.board.of_account[2] == 0
    office.house.run(10)
    office.end(office.stranger)


def test_a_number_that_did_not_take_the_call_is_no_call_of_the_account_any_more() -> None:
    """Else a call that went through a list of mobiles would use up the account's calls for as long as it lasts."""
    office = Office(
        f'start = "one"\n[one]\nnumber = "{MOBILE}"\nring = 5\nelse = "two"\n[two]\nnumber = "07700 900456"\n'
    )
    office.house.exchange.books.accounts[2] = make_account(2, calls_max=1)
    office.mobile.answer_after_s = 7.0
    call_from_outside(office, 4)
    assert office.house.exchange.board.of_account[2] == 1
    office.house.run(10)
    assert len(office.mobile.requests_of("INVITE")) == 2 and office.stranger.statuses[-1] == 200
    assert office.house.exchange.board.of_account[2] == 1
    office.end(office.stranger)


@pytest.mark.parametrize("changes", [{}, {"calls_max": 1}, {"settings": LineSettings(has_call_waiting=False)}])
def test_a_phone_that_has_rung_alone_rings_on_with_the_others(changes: dict[str, object]) -> None:
    """It rings for this very call: for it nobody is busy."""
    office = Office(TEAM.replace('"team"', '"first"', 1) + '[first]\nline = "carol"\nring = 8\nelse = "team"\n')
    line_of(office, "carol", **changes)
    office.carol.answer_after_s = office.dave.answer_after_s = None
    call_from_outside(office, 12)
    assert len(office.carol.requests_of("INVITE")) == 2 and office.dave.requests_of("INVITE")
    office.house.run(10)
    assert office.stranger.statuses[-1] == 480
    office.end(office.stranger)


def test_a_trunk_with_one_place_takes_one_number_after_the_other() -> None:
    group = f'group = ["number {MOBILE} for 5 s", "number 07700 900456"]'
    office = Office(f'start = "n"\n[n]\n{group}\nstrategy = "in_order"\n')
    trunks = office.house.exchange.board.conf.trunks
    one = msgspec.structs.replace(trunks["out"], calls_max=1)
    office.house.exchange.take_over(
        msgspec.structs.replace(office.house.conf, trunks={**trunks, "out": one}), office.house.clock.now
    )
    office.mobile.answer_after_s = 7.0
    call_from_outside(office, 4)
    assert office.house.exchange.board.of_trunk["out"] == 1
    office.house.run(10)
    assert office.stranger.statuses[-1] == 200 and office.house.exchange.board.of_trunk["out"] == 1
    office.end(office.stranger)


def test_a_line_of_a_plan_is_called_as_the_number_and_diverts_by_it() -> None:
    office = Office(BOB)
    line_of(office, "bob", diverts=(Divert(ALL, DivertKind.NUMBER, MOBILE, ddis=(OFFICE,)),))
    assert call_from_outside(office) == 200
    (invite,) = office.mobile.requests_of("INVITE")
    assert invite.headers.get("diversion") == f"<sip:{OFFICE}@{DOMAIN}>;reason=unconditional;counter=1"
    office.end(office.stranger)
    line_of(office, "bob", diverts=())
    assert call_from_outside(office) == 200
    (invite,) = office.bob.requests_of("INVITE")
    assert invite.headers.get("to") == f"<sip:{OFFICE}@{DOMAIN}>"
    office.end(office.stranger)
    assert office.rows()[-1].ddi == OFFICE


def test_a_plan_may_lead_to_another_number_of_its_own_numbers_line() -> None:
    office = Office('start = "bob"\n[bob]\nnumber = "01632 960009"\n')
    number_of(office, "bob")
    assert call_from_outside(office) == 200
    assert office.bob.requests_of("INVITE")
    office.end(office.stranger)
    # and where that leads back, it ends
    line_of(office, "bob", diverts=(Divert(ALL, DivertKind.NUMBER, OFFICE),))
    assert call_from_outside(office) == 480
    assert f"{NOT_SENT_ON}divert_loop" in [row.decisions for row in office.rows()][-1]
    office.end(office.stranger)


@pytest.mark.parametrize("strategy", ["together", "in_order"])
def test_who_refuses_diverts_is_called_by_no_plan_of_somebody_elses(strategy: str) -> None:
    """PECR 2003 reg. 17."""
    office = Office(
        f'start = "team"\n[team]\ngroup = ["number 01632 960009", "line dave"]\nstrategy = "{strategy}"\n'
    )
    number_of(office, "alice")
    line_of(office, "alice", settings=LineSettings(refuses_diverts=True))
    assert call_from_outside(office) == 200
    assert office.dave.requests_of("INVITE") and not office.alice.requests_of("INVITE")
    office.end(office.stranger)


def test_a_divert_to_a_plan_is_on_the_records_of_where_it_leads() -> None:
    office = Office(f'start = "n"\nfallback = "v"\n[n]\nnumber = "{MOBILE}"\nring = 5\n[v]\nvoicemail = "carol"\n')
    number_of(office, "carol")
    line_of(office, "carol", diverts=(Divert(BUSY, DivertKind.PLAN, "office"),))
    office.carol.answer, office.mobile.answer_after_s = 486, None
    office.alice.invite("01632960009")
    office.house.run(8)
    (invite,) = office.mobile.requests_of("INVITE")
    assert invite.headers.values("diversion") == [f"<sip:{OTHER}@{DOMAIN}>;reason=user-busy;counter=1"]
    office.end()
    assert [row.leg_reason for row in office.rows()[1:]] == [
        "a phone of line carol",
        "divert_busy of line carol, plan office: trunk out",
        "divert_busy of line carol, plan office: voicemail",
    ]


def test_a_divert_to_a_number_with_a_plan_names_both_to_the_carrier() -> None:
    office = Office(f'start = "out"\n[out]\nnumber = "{MOBILE}"\n')
    number_of(office, "carol")
    line_of(office, "carol", diverts=(Divert(ALL, DivertKind.NUMBER, OFFICE),))
    office.alice.invite("01632960009")
    office.house.run(2)
    (invite,) = office.mobile.requests_of("INVITE")
    assert [value.partition("@")[0] for value in invite.headers.values("diversion")] == [
        f"<sip:{OFFICE}",
        f"<sip:{OTHER}",
    ]
    office.end()
    last = office.rows()[-1]
    assert (last.leg_reason, last.payer_account_id) == ("divert_all of line carol, plan office: trunk out", 2)


def test_a_line_of_a_plan_may_send_what_it_does_not_take_to_another_plan_and_no_call_goes_round() -> None:
    office = Office(BOB)
    office.house.exchange.books.plans[2]["evening"] = read_plan(TEAM.replace('"line dave"', '"line bob"'))
    line_of(office, "bob", diverts=(Divert(BUSY, DivertKind.PLAN, "evening"), Divert(BUSY, DivertKind.PLAN, "office")))
    office.bob.answer = 486
    assert call_from_outside(office) == 200
    assert office.carol.requests_of("INVITE")
    office.end(office.stranger)
    office.carol.answer = 486
    assert call_from_outside(office, 6) == 486
    assert len(office.bob.requests_of("INVITE")) < 10
    office.end(office.stranger)


TOGETHER = f'start = "n"\n[n]\ngroup = ["line carol", "number {MOBILE}"]\nring = 20\n'


def with_two_carriers(plan: str) -> tuple[Office, Phone]:
    office = Office(plan)
    conf = office.house.conf
    trunks = {**conf.trunks, "second": make_trunk("second", "192.0.2.61")}
    routing = make_routing({"+": ("out", "second")}, version="routing2")
    office.house.exchange.take_over(
        msgspec.structs.replace(conf, trunks=trunks, routing=routing), office.house.clock.now
    )
    office.carol.answer_after_s = None
    return office, office.house.phone("second", "192.0.2.61")


@pytest.mark.parametrize("first", [503, None], ids=["refuses", "silent"])
def test_a_number_that_rings_together_with_a_line_goes_by_its_next_carrier(first: int | None) -> None:
    office, second = with_two_carriers(TOGETHER)
    if first is None:
        office.house.link.detach(office.mobile.address)
    else:
        office.mobile.answer, office.mobile.answer_after_s, office.mobile.ring_status = first, 0.1, 0
    second.answer_after_s = 1.0
    call_from_outside(office, 10)
    assert office.carol.requests_of("CANCEL") and office.stranger.statuses[-1] == 200
    assert office.house.exchange.board.of_trunk == {"in": 1, "second": 1, "out": 0}
    office.house.run(30)
    office.end(office.stranger)
    assert [(row.line or row.trunk, row.outcome) for row in office.rows()[1:]] == [
        ("carol", "cancelled"),
        ("out", "failed" if first else "no_answer"),
        ("second", "answered"),
    ]


def test_a_number_that_is_busy_is_not_tried_again_by_another_carrier() -> None:
    office, second = with_two_carriers(TOGETHER)
    office.mobile.answer, office.mobile.answer_after_s = 486, 0.1
    call_from_outside(office, 5)
    assert second.requests_of("INVITE") == [] and office.stranger.statuses[-1] == 180
    office.house.run(20)
    office.end(office.stranger)
