"""Service codes on the bench: what is asked of the books, what is said, and what happens when nobody answers."""

import functools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.books.messages import ChangeResult
from provisioning.model import Divert, DivertCondition, DivertKind, LineChanged
from provisioning.settings import Bar, LineSettings
from switch.calls.number_plan import ServiceCode, read_dialled
from switch.calls.service_codes import DIRECTED, UK_SERVICES, UK_TABLE, Feature, read_rule
from switch.calls.service_desk import WAITING_MAX
from tests.switch.books_stand_in import BooksStandIn
from tests.switch.house import House, make_account, make_conf, make_line, make_trunk
from tests.switch.voicemail_stand_in import StandIn, to_voicemail, voicemail_conf

ALL, BUSY, NO_REPLY, UNREACHABLE, DECLINED = DivertCondition
NUMBER, LINE, VOICEMAIL = DivertKind.NUMBER, DivertKind.LINE, DivertKind.VOICEMAIL


class Street:
    """1001 and 1002 of one account, 2001 of another; a media server and books that answer."""

    def __init__(self, **line: object) -> None:
        self.house = House(
            conf=voicemail_conf(make_conf(trunks=[make_trunk("carrier", "192.0.2.50")])),
            lines=[make_line("1001", **line), make_line("1002"), make_line("2001", 2)],
            accounts=[make_account(1), make_account(2)],
            numbers={"+441632960001": "1001", "+441632960002": "1002", "+441632960003": "2001"},
        )
        self.voicemail = StandIn(self.house)
        self.books = BooksStandIn(self.house)
        self.phones = {}
        for index, user in enumerate(("1001", "1002", "2001")):
            self.phones[user] = self.house.phone(user, f"192.0.2.{10 + index}")
            self.phones[user].register()
        self.me = self.phones["1001"]

    def dial(self, code: str, *, by: str = "1001") -> str:
        """The words, "" for none."""
        phone = self.phones[by]
        before = len(self.voicemail.asked)
        phone.statuses.clear()
        phone.invite(code, uri=f"sip:{code.replace('#', '%23')}@example.com")
        self.books.run(1.0)
        asked = self.voicemail.asked[before:]
        for each in list(self.voicemail.dialogs):
            self.voicemail.hang_up()
            assert each
        self.books.run(0.5)
        if not asked:
            return ""
        assert phone.statuses[-1] == 200 and asked[0].startswith("say;words=")
        return asked[0].removeprefix("say;words=")

    def close(self) -> None:
        self.books.run(40)
        self.house.assert_clean()


def everything_set() -> LineSettings:
    return LineSettings(
        does_not_disturb=True, has_call_waiting=False, bars=(Bar("premium"),), speed_dials={"7": "+441632960002"}
    )


MOBILE = "+447700900123"
ALL_TO_124 = "divert-all-is-set-to.number-01632960124"
NO_REPLY_TO_MOBILE = "divert-no-reply-is-set-to.number-07700900123"
UNREACHABLE_ABROAD = "divert-unreachable-is-set-to.number-0049301234"
TO_MOBILE = Divert(ALL, NUMBER, MOBILE)
BUSY_TO_MOBILE = Divert(BUSY, NUMBER, MOBILE)
NONE_OF_THREE = "divert-busy-is-not-set.divert-no-reply-is-not-set.divert-unreachable-is-not-set"

# what the line has, what is dialled, what the books are asked for, what is said
TABLE = [
    ({}, "*21*01632960124#", ("divert", (ALL,), NUMBER, "+441632960124", 15), ALL_TO_124),
    ({}, "*21*01632960124", ("divert", (ALL,), NUMBER, "+441632960124", 15), ALL_TO_124),
    ({}, "**21*00441632960124#", ("divert", (ALL,), NUMBER, "+441632960124", 15), ALL_TO_124),
    ({}, "*67*1002#", ("divert", (BUSY,), LINE, "1002", 15), "divert-busy-is-set-to.number-1002"),
    ({}, "*61*07700900123*20#", ("divert", (NO_REPLY,), NUMBER, MOBILE, 20), NO_REPLY_TO_MOBILE),
    ({}, "**61*07700900123**20#", ("divert", (NO_REPLY,), NUMBER, MOBILE, 20), NO_REPLY_TO_MOBILE),
    ({}, "**61*07700900123*11*25#", ("divert", (NO_REPLY,), NUMBER, MOBILE, 25), NO_REPLY_TO_MOBILE),
    ({}, "**62*0049301234#", ("divert", (UNREACHABLE,), NUMBER, "+49301234", 15), UNREACHABLE_ABROAD),
    ({}, "*61*07700900123*4#", None, "number-not-valid"),
    ({}, "*61*07700900123*1211#", None, "number-not-valid"),
    ({}, "*21*999#", None, "divert-refused"),
    ({}, "*21*112", None, "divert-refused"),
    ({}, "*21*118500#", None, "divert-refused"),
    ({}, "*21*09098790123#", None, "divert-refused"),
    ({}, "*21*1001#", None, "divert-refused"),
    ({}, "*21*2001#", None, "number-not-valid"),
    ({}, "*21*04#", None, "number-not-valid"),
    ({}, "*#21#", None, "divert-all-is-not-set"),
    ({"diverts": (TO_MOBILE,)}, "*#21#", None, "divert-all-is-set-to.number-07700900123"),
    (
        {"diverts": to_voicemail(NO_REPLY)},
        "*#61",
        None,
        "divert-no-reply-is-set-to.to-voicemail.after.count-15.seconds",
    ),
    ({"diverts": (TO_MOBILE,)}, "#21#", ("divert_switched", (ALL,), False), "divert-all-off"),
    ({"diverts": (TO_MOBILE,)}, "##21#", ("divert_erased", (ALL,)), "divert-all-off"),
    ({"diverts": (TO_MOBILE,)}, "##002#", ("divert_erased", tuple(DivertCondition)), "diverts-off"),
    ({"diverts": (TO_MOBILE,)}, "##62#", None, "divert-unreachable-off"),
    ({"diverts": to_voicemail(NO_REPLY)}, "#61#", None, "divert-no-reply-off"),
    ({}, "*66*07700900123#", ("divert", (BUSY, NO_REPLY), NUMBER, MOBILE, 15), "service-done"),
    ({}, "*#66#", None, "divert-busy-is-not-set.divert-no-reply-is-not-set"),
    ({"diverts": (TO_MOBILE,)}, "*#004#", None, NONE_OF_THREE),
    ({"diverts": (TO_MOBILE,)}, "*#002#", None, "divert-all-is-set-to.number-07700900123"),
    ({}, "*#002#", None, "diverts-off"),
    ({"diverts": (BUSY_TO_MOBILE,)}, "#66#", ("divert_switched", (BUSY, NO_REPLY), False), "service-done"),
    ({"diverts": (msgspec.structs.replace(TO_MOBILE, is_enabled=False),)}, "*#21#", None, "divert-all-is-not-set"),
    (
        {"diverts": (msgspec.structs.replace(TO_MOBILE, is_enabled=False),)},
        "*21#",
        ("divert_switched", (ALL,), True),
        "divert-all-is-set-to.number-07700900123",
    ),
    ({}, "*21#", None, "divert-all-is-not-set"),
    ({}, "*43#", ("settings", ("has_call_waiting=yes",)), "call-waiting-on"),
    ({}, "#43", ("settings", ("has_call_waiting=no",)), "call-waiting-off"),
    ({}, "*#43#", None, "call-waiting-on"),
    ({}, "*227#", ("settings", ("rejects_anonymous=yes",)), "anonymous-rejection-on"),
    ({}, "#261*1234#", ("settings", ("bars_incoming=no",)), "incoming-bar-off"),
    ({}, "*260#", ("settings", ("does_not_disturb=yes",)), "do-not-disturb-on"),
    ({}, "*347#", ("settings", ("bars+=premium",)), "outgoing-bar-on"),
    ({}, "#347#", ("settings", ("bars-=premium",)), "outgoing-bar-off"),
    ({}, "*#34#", None, "outgoing-bar-off"),
    ({}, "*#001#", None, "no-services-on"),
    (
        {"settings": everything_set(), "diverts": (TO_MOBILE,)},
        "*#001#",
        None,
        "services-on.divert-all-is-set-to.number-07700900123.call-waiting-off.do-not-disturb-on.outgoing-bar-on",
    ),
    ({}, "*51*7*01632960002#", ("settings", ("speed_dials+=7:+441632960002",)), "speed-call-stored.number-01632960002"),
    ({}, "*51*123*01632960002#", None, "number-not-valid"),
    ({}, "*51*7#", None, "number-not-valid"),
    ({}, "*#51*7#", None, "speed-call-is-not-set"),
    ({"settings": everything_set()}, "*#51*7#", None, "speed-call-is-set-to.number-01632960002"),
    ({"settings": everything_set()}, "#51*7#", ("settings", ("speed_dials-=7",)), "speed-call-removed"),
    ({}, "#51*7#", None, "speed-call-is-not-set"),
    ({}, "**7", None, "speed-call-is-not-set"),
    ({}, "**0", None, "service-not-available"),
    ({}, "5", None, "service-not-available"),
    ({}, "#37#", None, "ring-back-is-not-set"),
    ({}, "1471", None, "no-calls-to-return"),
    ({}, "14258", None, "no-last-caller"),
    ({}, "1475", None, "last-caller-erased"),
    ({}, "*57#", None, "no-last-caller"),
]  # fmt: skip
TAGS = {
    "SettingsAsked": "settings",
    "DivertAsked": "divert",
    "DivertSwitched": "divert_switched",
    "DivertErased": "divert_erased",
}


@pytest.mark.parametrize(("has", "code", "asked", "words"), TABLE, ids=[row[1] for row in TABLE])
def test_what_a_code_asks_for_and_says(
    has: dict[str, object], code: str, asked: tuple[object, ...] | None, words: str
) -> None:
    street = Street(**has)
    assert street.dial(code) == words
    found = [(TAGS[type(one.change).__name__], *msgspec.structs.astuple(one.change)) for one in street.books.asked]
    assert found == ([] if asked is None else [asked])
    cdrs = street.house.journal.cdrs()
    assert {cdr.cost_micros for cdr in cdrs} == {0} and cdrs[0].outcome == "answered"
    assert (cdrs[1].destination, cdrs[1].leg_reason) == ("voicemail", "service")
    street.close()


def test_what_the_books_refuse_is_said() -> None:
    street = Street()
    street.books.result = ChangeResult.REFUSED
    assert street.dial("*21*01632960003#") == "divert-refused"
    assert street.dial("*51*7*1234567#") == "number-not-valid"
    assert street.dial("*43#") == "service-not-changed"
    assert street.house.exchange.services.results["refused"] == 3
    street.close()


def test_books_that_are_away_change_nothing_and_say_so_at_once() -> None:
    street = Street()
    street.books.result = ChangeResult.AWAY
    assert street.dial("*43#") == "service-not-changed"
    assert street.house.exchange.services.results["away"] == 1
    street.close()


def test_a_code_waits_two_seconds_and_a_change_that_comes_late_is_the_lines_all_the_same() -> None:
    street = Street()
    street.books.result = None
    street.me.invite("*43", uri="sip:*43%23@example.com")
    street.books.run(1.8)
    assert street.voicemail.asked == []
    street.books.run(0.5)
    assert street.voicemail.asked == ["say;words=service-not-changed"]
    services = street.house.exchange.services
    assert (services.results["too_late"], services.waiting) == (1, 0)
    street.books.answer(0)
    line = msgspec.structs.replace(
        street.house.exchange.books.lines["1001"], settings=LineSettings(has_call_waiting=False)
    )
    street.house.exchange.apply_changes([LineChanged(line)], street.house.clock.now)
    assert services.results["late_done"] == 1 and "done" not in services.results
    street.voicemail.hang_up()
    assert street.dial("*#43#") == "call-waiting-off"
    street.close()


def test_a_line_has_one_change_under_way() -> None:
    street = Street()
    street.books.result = None
    street.me.invite("*43", uri="sip:*43%23@example.com")
    street.books.run(0.3)
    assert street.dial("*227#") == "service-not-changed"
    assert street.house.exchange.services.results["busy"] == 1
    assert len(street.books.asked) == 1
    street.phones["2001"].invite("*43", uri="sip:*43@example.com")  # somebody else waits for his own
    street.books.run(0.3)
    assert len(street.books.asked) == 2
    street.books.run(4)
    while street.voicemail.dialogs:
        street.voicemail.hang_up()
    street.close()


def test_so_many_are_under_way_and_no_more() -> None:
    lines = [make_line(f"{user}") for user in range(3000, 3000 + WAITING_MAX + 1)]
    house = House(conf=voicemail_conf(), lines=lines)
    StandIn(house)
    books = BooksStandIn(house)
    books.result = None
    for index, line in enumerate(lines):
        phone = house.phone(line.user, f"192.0.3.{index}")
        phone.invite("*43", uri="sip:*43@example.com")
        house.run(0.02)
    house.run(0.2)
    assert house.exchange.services.waiting == WAITING_MAX
    assert house.exchange.services.results["busy"] == 1


def test_who_hangs_up_meanwhile_hears_nothing_and_the_change_is_made() -> None:
    street = Street()
    street.books.result = None
    invite = street.me.invite("*43", uri="sip:*43@example.com")
    street.books.run(0.5)
    street.me.stack.cancel(street.me.invites[-1], street.house.clock.now)
    street.books.run(0.3)
    assert street.me.statuses[-1] == 487 and invite is not None
    street.books.answer(0)
    street.books.run(1)
    assert street.voicemail.asked == []
    assert street.house.exchange.services.waiting == 0
    street.close()


def test_the_books_process_dies_under_it() -> None:
    street = Street()
    street.books.result = None
    street.me.invite("*43", uri="sip:*43@example.com")
    street.books.run(0.3)
    street.house.exchange.services.books_lost(street.house.clock.now)
    street.books.run(0.5)
    assert street.voicemail.asked == ["say;words=service-not-changed"]
    street.voicemail.hang_up()
    street.close()


def test_without_a_media_server_nothing_is_changed_and_the_tone_says_so() -> None:
    street = Street()
    street.voicemail.go_away()
    street.books.run(6)
    assert street.dial("*21*01632960124#") == ""
    assert street.me.statuses[-1] == 480 and street.books.asked == []
    assert street.house.journal.cdrs()[0].outcome == "voicemail_unavailable"
    street.close()


def test_a_suspended_account_has_no_codes_and_a_carrier_neither() -> None:
    street = Street()
    account = msgspec.structs.replace(street.house.exchange.books.accounts[1], is_suspended=True)
    street.house.exchange.books.accounts[1] = account
    street.me.invite("*43", uri="sip:*43@example.com")
    street.books.run(0.5)
    assert street.voicemail.asked == ["announce.account-suspended;status=403;cause=21"]
    carrier = street.house.phone("carrier", "192.0.2.50")
    carrier.invite("*21*01632960124", uri="sip:*21*01632960124@example.com")
    street.books.run(1)
    assert carrier.statuses[-1] == 404 and street.books.asked == []


def test_emergency_behind_a_star_code_prefix_is_still_an_emergency() -> None:
    street = Street()
    carrier = street.house.phone("carrier", "192.0.2.50")
    street.me.invite("*31#999", uri="sip:*31%23999@example.com")
    street.books.run(2)
    assert [invite.uri for invite in carrier.requests_of("INVITE")] == ["sip:999@192.0.2.50:5060"]


# Short dialling


def test_a_speed_call_is_a_call_to_what_is_stored_whatever_that_is() -> None:
    street = Street(settings=LineSettings(speed_dials={"7": "+441632960002", "8": "1002", "9": "999"}))
    carrier = street.house.phone("carrier", "192.0.2.50")
    for code in ("**7", "**8#"):
        street.me.invite(code, uri=f"sip:{code.replace('#', '%23')}@example.com")
        street.books.run(2)
        assert street.me.statuses[-1] == 200
        street.me.hang_up()
        street.books.run(1)
    assert len(street.phones["1002"].requests_of("INVITE")) == 2
    street.me.invite("**9", uri="sip:**9@example.com")
    street.books.run(2)
    assert [invite.uri for invite in carrier.requests_of("INVITE")] == ["sip:999@192.0.2.50:5060"]


def test_redial_calls_the_last_number_and_no_code() -> None:
    street = Street()
    street.me.invite("01632960002")
    street.books.run(2)
    street.me.hang_up()
    street.books.run(1)
    assert street.dial("*#43#") == "call-waiting-on"
    street.me.invite("**0", uri="sip:**0@example.com")
    street.books.run(2)
    assert street.me.statuses[-1] == 200
    assert len(street.phones["1002"].requests_of("INVITE")) == 2
    street.me.hang_up()
    street.close()


def test_redial_calls_the_last_number_also_where_it_could_not_be_called() -> None:
    """Barred, for instance: the number before that is not what anybody wants to call now."""
    street = Street(settings=LineSettings(bars=(Bar("mobile"),)))
    street.me.invite("01632960002")
    street.books.run(2)
    street.me.hang_up()
    street.books.run(1)
    street.me.invite("07700900123")
    street.books.run(2)
    while street.voicemail.dialogs:
        street.voicemail.hang_up()
    street.books.run(6)
    street.me.statuses.clear()
    rung = len(street.phones["1002"].requests_of("INVITE"))
    street.me.invite("**0", uri="sip:**0@example.com")
    street.books.run(2)
    assert len(street.phones["1002"].requests_of("INVITE")) == rung
    assert street.house.exchange.services.last_dialled.of("1001") == "07700900123"
    assert street.house.journal.cdrs()[-1].outcome != "answered"


def test_a_code_a_service_or_what_is_no_number_is_not_called_again() -> None:
    street = Street()
    last = street.house.exchange.services.last_dialled
    for dialled in ("*%2343", "999", "12", "1571"):
        street.me.invite(dialled, uri=f"sip:{dialled}@example.com")
        street.books.run(2)
        assert last.of("1001") == "", dialled


# The table


def test_every_row_of_the_table_is_understood_and_dialled_as_itself() -> None:
    plan = make_conf().routing.plan
    for code, text in UK_TABLE.items():
        assert read_rule(text) is not None
        if code == DIRECTED:
            continue  # a number follows
        for dialled in (code, f"{code}#"):
            found = read_dialled(dialled, plan).destination
            assert found == ServiceCode(found.prefix, found.code, ()) and found.name == code, dialled
    assert {rule.feature for rule in UK_SERVICES.rules.values()} == set(Feature)


@functools.cache
def shared_street() -> Street:
    return Street(settings=LineSettings(speed_dials={"7": "**7", "8": "*21"}))


@given(st.text(alphabet="*#0123456789+", max_size=40))
def test_nothing_that_can_be_dialled_breaks_the_decision(digits: str) -> None:
    street = shared_street()
    street.me.statuses.clear()
    street.me.invite(digits, uri=f"sip:{digits.replace('#', '%23')}@example.com")
    street.books.run(0.5)
    assert street.house.exchange.counts.bugs == 0


def test_who_waits_when_the_exchange_closes_down_is_told_so() -> None:
    street = Street()
    street.books.result = None
    street.me.invite("*43", uri="sip:*43@example.com")
    street.books.run(0.3)
    street.house.exchange.drain(street.house.clock.now)
    street.books.run(0.3)
    assert street.me.statuses[-1] == 503 and street.house.exchange.services.waiting == 0
    street.books.answer(0)
    assert street.house.journal.cdrs()[0].outcome == "draining"


def test_a_sips_caller_on_a_connection_without_encryption_has_no_codes() -> None:
    street = Street()
    street.me.invite("*43", uri="sips:*43@example.com")
    street.books.run(0.5)
    assert street.me.statuses[-1] == 480 and street.books.asked == []
