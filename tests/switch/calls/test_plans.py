"""Calls to a number that has a plan: who is rung, who pays, what menus and queues come to, on the whole exchange.

The number is bob's (account 2); alice (account 1) and a carrier call it; carol and dave are bob's colleagues.
"""

from collections import Counter

import msgspec
import pytest

from provisioning.model import Number
from provisioning.plans.plan_text import read_plan
from rating.records import Cdr
from rating.tariff import load_tariff
from switch.calls.routing import make_routing
from switch.conf_trunks import DiversionHeader
from switch.journey.time_sets import Period, TimeSet, TimeSets
from switch.sip.message import Response
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
from tests.switch.voicemail_stand_in import StandIn, voicemail_conf

OFFICE, MOBILE, STRANGER = "+441632960002", "+447700900123", "+442079460123"
TARIFF = load_tariff("retail", TARIFF_CSV + "on-net,On-net,0.01,0.03,60,60,2020-01-01,\n", "inc_vat")
BALANCE = 5_000_000
ALWAYS = TimeSet(hours=((Period(0, 1440),),) * 7)


class Office:
    def __init__(self, plan: str) -> None:
        routing = make_routing({"+": ("out",)}, version="routing1")
        trunks = [
            make_trunk("in", "192.0.2.50"),
            make_trunk("out", "192.0.2.60", diversion=DiversionHeader.DIVERSION),
        ]
        conf = make_conf(trunks=trunks, tariff=TARIFF, routing=routing)
        sets = TimeSets({"always": ALWAYS, "never": TimeSet(excluded=("always",))})
        conf = msgspec.structs.replace(conf, time_sets=sets)
        users = {"alice": 1, "bob": 2, "carol": 2, "dave": 2}
        self.house = House(
            conf=voicemail_conf(conf),
            lines=[make_line(user, account) for user, account in users.items()],
            accounts=[make_account(1), make_account(2)],
            numbers={OFFICE: "bob"},
            balances={1: BALANCE, 2: BALANCE},
        )
        books = self.house.exchange.books
        books.plans = {2: {"office": read_plan(plan)}}
        books.numbers[OFFICE] = Number(OFFICE, "bob", plan="office")
        self.voicemail = StandIn(self.house)
        self.phones = {
            user: self.house.phone(user, f"192.0.2.{number}") for number, user in enumerate(users, 10)
        }
        for phone in self.phones.values():
            phone.register()
        self.alice, self.bob, self.carol, self.dave = self.phones.values()
        self.stranger = self.house.phone("in", "192.0.2.50")
        self.mobile = self.house.phone("out", "192.0.2.60")

    def call(self, seconds: float = 2) -> None:
        self.alice.invite("01632960002")
        self.house.run(seconds)

    def rung(self) -> list[str]:
        """Who has got a new INVITE, in the order of records of all calls that are over."""
        return [row.line or row.trunk or row.destination for row in self.house.journal.cdrs() if row.leg]

    def press(self, keys: str, *, dialog: int = -1) -> Response:
        """The media server says what the caller has pressed."""
        voice = self.voicemail
        request = voice.dialogs[dialog].create_request("REFER", contact=f"<{voice.contact}>")
        request.headers.add(
            "refer-to", f"<sip:pressed.{keys}@{DOMAIN}>" if keys else f"<sip:pressed@{DOMAIN}>"
        )
        request.headers.add("refer-sub", "false")
        request.headers.add("supported", "norefersub")
        voice.responses.clear()
        voice.stack.send_request(request, voice.flow, voice, self.house.clock.now)
        self.house.run(0.1)
        return next(response for response in voice.responses if response.cseq.method == "REFER")

    def talkers(self) -> list[list[str]]:
        return [
            [leg.target.name if leg.index else "alice" for leg in call.talkers]
            for call in self.house.exchange.board.calls.values()
        ]

    def rows(self) -> list[Cdr]:
        return sorted(self.house.journal.cdrs(), key=lambda row: (row.call_id, row.leg))

    def end(self, phone: Phone | None = None) -> Counter[int]:
        """The caller hangs up; everything is back, and the money adds up. What each account paid."""
        phone = phone or self.alice
        if phone.dialogs:
            phone.hang_up()
        self.house.run(2)
        self.house.assert_clean()
        assert len(self.house.exchange.board.queues) == len(self.house.exchange.board.queue_desk) == 0
        costs: Counter[int] = Counter()
        for row in self.rows():
            if row.cost_micros:
                costs[row.payer_account_id or 0] += row.cost_micros
        assert {number: BALANCE - self.house.balance(number) for number in (1, 2)} == {
            number: costs[number] for number in (1, 2)
        }
        return costs


GROUP = """
start = "team"
fallback = "message"
[team]
group = ["line carol", "line dave", "number 07700900123"]
strategy = "in_order"
ring = 8
[message]
voicemail = "bob"
"""


def test_a_group_in_order_and_the_mailbox_behind_it() -> None:
    office = Office(GROUP)
    for phone in (office.carol, office.dave, office.mobile):
        phone.answer_after_s = None
    office.call(1)
    assert office.carol.requests_of("INVITE") and not office.dave.requests_of("INVITE")
    assert office.carol.requests_of("INVITE")[0].headers.get("to") == f"<sip:{OFFICE}@{DOMAIN}>"
    office.house.run(8)
    assert office.carol.requests_of("CANCEL") and office.dave.requests_of("INVITE")
    office.house.run(8)
    (outside,) = office.mobile.requests_of("INVITE")
    assert f"<sip:{OFFICE}@{DOMAIN}>;reason=unconditional" in (outside.headers.get("diversion") or "")
    office.house.run(8)
    assert office.voicemail.asked == ["deposit.bob"]
    assert office.alice.statuses[-1] == 200
    office.house.run(5)
    assert office.end() == {1: 40_000}, "the caller pays for calling the number, the mobile never answered"
    assert office.rung() == ["carol", "dave", "out", "bob"]


def test_who_owns_the_number_pays_for_where_its_plan_leads() -> None:
    office = Office(GROUP)
    office.carol.answer = office.dave.answer = 486
    office.stranger.invite(OFFICE, from_=f"<sip:{STRANGER}@192.0.2.50>")
    office.house.run(3)
    assert office.stranger.statuses[-1] == 200
    office.house.run(30)
    costs = office.end(office.stranger)
    last = office.rows()[-1]
    assert (last.trunk, last.payer_account_id) == ("out", 2)
    assert last.leg_reason.startswith("plan office")
    assert costs == {2: 10_000 + 1_000 * last.billed_s}


def test_together_the_first_to_answer_has_it() -> None:
    office = Office(GROUP.replace("in_order", "together"))
    office.carol.answer_after_s = None
    office.dave.answer_after_s, office.mobile.answer_after_s = 1.0, None
    office.call(3)
    assert office.talkers() == [["alice", "dave"]]
    assert office.carol.requests_of("CANCEL") and office.mobile.requests_of("CANCEL")
    assert office.end() == {1: 40_000, 2: 40_000}, "alice calls the number, bob's plan calls dave"


@pytest.mark.parametrize(("times", "expected"), [("always", "carol"), ("never", "dave")])
def test_opening_hours(times: str, expected: str) -> None:
    office = Office(
        f"""
        start = "open"
        [open]
        hours = "{times}"
        then = "day"
        else = "night"
        [day]
        line = "carol"
        [night]
        line = "dave"
        """
    )
    office.call()
    assert office.talkers() == [["alice", expected]]
    office.end()


MENU = """
start = "welcome"
fallback = "message"
[welcome]
menu = "menu-welcome"
press = { 1 = "sales", 2 = "away" }
extensions = 4
timeout = 4
tries = 2
[sales]
line = "carol"
ring = 8
else = "away"
[away]
number = "07700900123"
ring = 10
[message]
voicemail = "bob"
"""


def test_a_menu_takes_the_call_and_a_key_leads_on() -> None:
    office = Office(MENU)
    office.call()
    (asked,) = office.voicemail.asked
    assert asked == "menu;prompt=menu-welcome;timeout=4;tries=2;choices=1.2;extension=4"
    assert office.talkers() == [["alice", "voicemail"]]
    office.house.run(10)
    assert office.press("1").status == 202
    office.house.run(2)
    assert office.talkers() == [["alice", "carol"]]
    assert office.voicemail.requests_of("BYE")
    reinvites = [invite for invite in office.alice.requests_of("INVITE") if invite.to_tag]
    assert len(reinvites) == 1
    office.house.run(20)
    assert office.end() == {1: 40_000, 2: 40_000}
    assert [row.outcome for row in office.rows()] == ["answered"] * 3


def test_what_nobody_answers_goes_on_by_the_plan_and_the_caller_stays() -> None:
    office = Office(MENU)
    office.carol.answer_after_s = None
    office.call()
    office.press("1")
    office.house.run(4)
    assert office.talkers() == [["alice", "voicemail"]]
    office.house.run(7)
    assert office.talkers() == [["alice", "out"]]
    office.house.run(10)
    costs = office.end()
    assert costs[2] == 10_000 + 1_000 * office.rows()[-1].billed_s


def test_nothing_pressed_leads_to_the_fallback() -> None:
    office = Office(MENU)
    office.call()
    office.press("")
    office.house.run(2)
    assert office.voicemail.asked[1:] == ["deposit.bob"]
    assert office.talkers() == [["alice", "voicemail"]]
    office.end()


def test_the_voice_may_hang_up_before_anybody_answers() -> None:
    office = Office(MENU)
    office.carol.answer_after_s = 6
    office.call()
    office.press("1")
    office.house.run(1)
    office.voicemail.hang_up()
    office.house.run(2)
    assert not office.alice.requests_of("BYE")
    office.house.run(5)
    assert office.talkers() == [["alice", "carol"]]
    office.end()


def test_when_the_plan_has_nowhere_left_to_go_the_caller_is_hung_up() -> None:
    office = Office(MENU.replace('fallback = "message"\n', "").replace('[message]\nvoicemail = "bob"\n', ""))
    office.mobile.answer = 486
    office.call()
    office.press("2")
    office.house.run(3)
    assert office.alice.requests_of("BYE")
    office.end()


def test_without_the_media_server_the_fallback_has_the_call() -> None:
    office = Office(MENU.replace('voicemail = "bob"', 'line = "dave"'))
    office.voicemail.go_away()
    office.house.run(4)
    office.call()
    assert office.talkers() == [["alice", "dave"]]
    office.end()


def test_a_crash_in_a_menu_ends_the_call_and_charges_its_callers_part() -> None:
    office = Office(MENU)
    office.call()
    office.press("1")
    office.house.run(21)
    reborn = office.house.killed_and_started_again()
    assert {row.payer_account_id: row.cost_micros for row in reborn.journal.cdrs() if row.cost_micros} == {
        1: 40_000,
        2: 40_000,
    }


QUEUE = """
start = "wait"
fallback = "message"
[wait]
queue = ["line carol", "line dave"]
strategy = "longest_idle"
ring = 10
waiting_max = 2
wait_max = 60
[message]
voicemail = "bob"
"""


def more_callers(office: Office, count: int) -> list[Phone]:
    callers = []
    for number in range(count):
        user = f"caller{number}"
        office.house.exchange.books.lines[user] = make_line(user, 1)
        phone = office.house.phone(user, f"192.0.2.{100 + number}")
        phone.register()
        callers.append(phone)
    return callers


def test_a_queue_gives_the_call_to_who_is_free_and_tells_the_others_where_they_stand() -> None:
    office = Office(QUEUE)
    office.carol.answer_after_s = office.dave.answer_after_s = None
    for phone in (office.carol, office.dave):
        phone.register(expires=0)
    first, second, third = more_callers(office, 3)
    for caller in (first, second, third):
        caller.invite("01632960002")
        office.house.run(2)
    assert [asked.partition(";")[0] for asked in office.voicemail.asked] == ["queue", "queue", "deposit.bob"]
    assert office.voicemail.asked[0] == "queue;position=1;says=1"
    told = [info.body for info in office.voicemail.requests_of("INFO")]
    assert told == [b"position=2\r\n"]
    assert len(office.house.exchange.board.queues) == 2
    office.dave.answer_after_s = 1.0
    office.dave.register()
    office.house.run(4)
    (rung,) = office.dave.requests_of("INVITE")
    assert "caller0" in (rung.headers.get("from") or "")
    assert [info.body for info in office.voicemail.requests_of("INFO")] == [
        b"position=2\r\n",
        b"position=1\r\n",
    ]
    office.dave.hang_up()
    office.house.run(4)
    assert len(office.dave.requests_of("INVITE")) == 2, "who is free again has the next"
    office.dave.hang_up()
    third.hang_up()
    office.house.run(2)
    office.house.assert_clean()
    assert len(office.house.exchange.board.queues) == 0
    assert office.house.exchange.board.queues.outcomes == {"answered": 2}


def test_who_lets_it_ring_is_spared_and_the_call_keeps_its_place() -> None:
    office = Office(QUEUE.replace("longest_idle", "in_order"))
    office.carol.answer_after_s, office.dave.answer_after_s = None, 1.0
    office.call(3)
    assert office.carol.requests_of("INVITE") and not office.dave.requests_of("INVITE")
    office.house.run(12)
    assert office.talkers() == [["alice", "dave"]]
    office.end()


def test_a_member_whose_phone_sends_its_calls_on_takes_none_out_of_the_queue() -> None:
    """It would leave on the account of the number's line, which has sent nothing on."""
    office = Office(QUEUE)
    office.carol.answer, office.carol.answer_after_s = 302, 0.2
    office.carol.answer_headers = [("Contact", f"<sip:07700900123@{DOMAIN}>")]
    office.dave.answer_after_s = None
    office.call(6)
    assert office.carol.requests_of("INVITE") and office.mobile.requests_of("INVITE") == []
    assert office.talkers() == [["alice", "voicemail"]]
    assert office.house.exchange.board.queues.position(next(iter(office.house.exchange.board.calls))) == 1
    assert office.end()[2] == 0


def test_who_has_waited_too_long_goes_on_elsewhere_and_who_hangs_up_is_forgotten() -> None:
    office = Office(QUEUE)
    for phone in (office.carol, office.dave):
        phone.register(expires=0)
    (other,) = more_callers(office, 1)
    office.call()
    other.invite("01632960002")
    office.house.run(10)
    other.hang_up()
    office.house.run(2)
    assert office.house.exchange.board.queues.outcomes == {"gave_up": 1}
    office.house.run(55)
    assert office.voicemail.asked[-1] == "deposit.bob"
    assert office.talkers() == [["alice", "voicemail"]]
    assert office.house.exchange.board.queues.outcomes == {"gave_up": 1, "timed_out": 1}
    office.end()
