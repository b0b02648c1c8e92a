"""1471, 1475 and 14258: who called last, whatever became of the call, and nothing of who did not want to be known."""

import msgspec
import pytest

from provisioning.model import LineRemoved
from provisioning.settings import LineSettings
from rating.records import TracedCall
from switch.calls.hidden_caller import hidden_caller
from switch.calls.identity import CallerId
from switch.calls.last_callers import KEPT_MS, LastCallers
from switch.calls.service_records import LAST_CALLER_KEY, LastCaller, decode_last_caller, encode
from switch.conf_cli import CliRules
from tests.switch.calls.test_service_codes import Street
from tests.switch.house import House, make_conf, make_line, make_trunk


def sign(token: str) -> str:
    return f"{len(token):012x}"


def called(street: Street, dialled: str, *, by: str = "1002", seconds: float = 2.0, **options: object) -> None:
    phone = street.phones[by]
    phone.statuses.clear()
    phone.invite(dialled, **options)
    street.books.run(seconds)
    if phone.dialogs:
        phone.hang_up()
    street.books.run(1)


def test_the_number_is_spoken_and_3_calls_it() -> None:
    street = Street()
    called(street, "01632960001")
    at_ms = street.house.exchange.services.last_callers.of("1001", 0).at_ms
    words = f"telephone-number.number-01632960002.called.at-{at_ms}.to-return-call.press-3;keys=3"
    assert street.dial("1471") == words
    street.me.invite("1471")
    street.books.run(1)
    (call,) = street.house.exchange.board.calls.values()
    assert call.on_pressed is street.house.exchange.services
    assert call.admission.route.pressed == {"3": "+441632960002"}
    street.voicemail.hang_up()
    street.close()


def test_a_caller_who_was_refused_busy_or_gave_up_is_the_last_one_too() -> None:
    street = Street(calls_max=1)
    called(street, "01632960002", by="1001", seconds=1.0)
    street.me.register(expires=0)
    street.phones["1002"].invite("01632960001")
    street.books.run(1)
    assert street.phones["1002"].statuses[-1] in (480, 183, 100)
    assert street.house.exchange.services.last_callers.of("1001", 0).number == "+441632960002"
    street.me.register()
    street.me.answer_after_s = None
    called(street, "01632960001", by="2001", seconds=3.0)
    assert street.house.exchange.services.last_callers.of("1001", 0).number == "+441632960003"


def test_who_cannot_pay_or_may_not_call_has_not_called() -> None:
    street = Street()
    account = msgspec.structs.replace(street.house.exchange.books.accounts[2], is_suspended=True)
    street.house.exchange.books.accounts[2] = account
    called(street, "01632960001", by="2001")
    assert street.dial("1471") == "no-calls-to-return"


def test_of_a_withheld_number_nothing_is_kept_but_a_hash_and_14258_refuses_it() -> None:
    street = Street()
    called(street, "14101632960001")
    at_ms = street.house.exchange.services.last_callers.of("1001", 0).at_ms
    assert street.dial("1471") == f"you-were-called.at-{at_ms}.caller-withheld"
    kept = street.house.journal.state[f"{LAST_CALLER_KEY}1001"]
    assert b"1632960002" not in kept
    assert street.dial("14258") == "caller-refused"
    hashed = hidden_caller(street.house.exchange.board.sign, "+441632960002")
    assert street.books.changes == [((f"hidden_callers+={hashed}",),)]


@pytest.mark.parametrize("dialled", ["01632960001", "14101632960001"])
def test_57_keeps_the_last_call_for_who_may_trace_it_withheld_or_not(dialled: str) -> None:
    street = Street()
    called(street, dialled)
    assert street.dial("*57#") == "call-traced"
    (traced,) = (record for record in street.house.journal.records if isinstance(record, TracedCall))
    assert (traced.line, traced.network_number, traced.marked_by) == ("1001", "+441632960002", "code")


def test_14258_refuses_a_known_caller_by_number_and_1475_forgets_it() -> None:
    street = Street()
    called(street, "01632960001")
    assert street.dial("14258") == "caller-refused"
    hashed = hidden_caller(street.house.exchange.board.sign, "+441632960002")
    assert street.books.changes == [(("blocked_callers+=+441632960002", f"hidden_callers+={hashed}"),)]
    assert street.dial("1475") == "last-caller-erased"
    assert street.dial("1471") == "no-calls-to-return"
    assert f"{LAST_CALLER_KEY}1001" not in street.house.journal.state
    street.close()


def test_a_caller_without_a_number_cannot_be_returned_or_refused() -> None:
    callers = LastCallers(sign)
    callers.note("1001", CallerId("", "", False), 5, "alice")
    assert callers.of("1001", 5) == LastCaller(5, "")
    callers.note("1001", CallerId("", "", False), 5, "1002")
    assert callers.of("1001", 5) == LastCaller(5, "1002")
    callers.note("1001", CallerId("", "", True), 5)
    assert callers.of("1001", 5) == LastCaller(5, "", True)


STAND_IN = "+448979000001"


@pytest.mark.parametrize(
    ("sender", "asserted"),
    [
        ("<sip:unavailable@192.0.2.50>", ""),
        ("<sip:anonymous@anonymous.invalid>", ""),
        (f"<sip:{STAND_IN}@192.0.2.50>", STAND_IN),
        ("<sip:anonymous@anonymous.invalid>", "+448979012345"),  # another network's
    ],
)
def test_a_stand_in_for_a_missing_number_is_not_spoken_and_nobody_is_refused_for_it(sender: str, asserted: str) -> None:
    conf = make_conf(trunks=[make_trunk("carrier", "192.0.2.50")])
    house = House(
        conf=msgspec.structs.replace(conf, cli=CliRules(inserted_number=STAND_IN)),
        lines=[make_line("bob")],
        numbers={"+441632960001": "bob"},
    )
    bob, carrier = house.phone("bob", "192.0.2.11"), house.phone("carrier", "192.0.2.50")
    bob.register()
    extra = [("p-asserted-identity", f"<sip:{asserted}@192.0.2.50>")] if asserted else []
    carrier.invite("+441632960001", from_=sender, extra=extra)
    house.run(2)
    callers = house.exchange.services.last_callers
    last = callers.of("bob", 0)
    assert (last.number, last.hidden, callers.block_entries(last)) == ("", "", ())
    # A list from before that names it refuses nobody any more.
    hidden = (hidden_caller(house.exchange.board.sign, STAND_IN),)
    line = make_line("bob", settings=LineSettings(hidden_callers=hidden))
    house.exchange.books.lines["bob"] = line
    carrier.invite("+441632960001", from_=sender, extra=extra)
    house.run(2)
    assert carrier.statuses[-1] == 200


def test_who_shows_another_number_than_the_networks_is_refused_when_he_withholds_it() -> None:
    callers = LastCallers(sign)
    callers.note("1001", CallerId("+442079460001", "+441632960009", False), 5)
    last = callers.of("1001", 5)
    assert last == LastCaller(5, "+441632960009", False, hidden_caller(sign, "+442079460001"))
    assert callers.block_entries(last) == (
        "blocked_callers+=+441632960009",
        f"hidden_callers+={hidden_caller(sign, '+442079460001')}",
    )


def test_a_number_that_was_taken_away_is_not_replaced_by_the_networks_when_it_is_spoken() -> None:
    callers = LastCallers(sign)
    callers.note("1001", CallerId("+442079460001", "", False), 5)
    assert callers.of("1001", 5) == LastCaller(5, "")


def test_a_restart_remembers_and_a_month_later_nobody_does() -> None:
    street = Street()
    called(street, "01632960001")
    house = House(lines=[make_line("1001")], state=street.house.journal.state)
    last_callers = house.exchange.services.last_callers
    found = last_callers.of("1001", 0)
    assert found is not None and found.number == "+441632960002"
    assert last_callers.of("1001", found.at_ms + KEPT_MS + 1) is None
    last_callers.on_second(found.at_ms + KEPT_MS + 1)
    assert len(last_callers) == 0


def test_the_journal_gets_so_many_in_a_second() -> None:
    callers = LastCallers(sign)
    for index in range(450):
        callers.note(str(index), CallerId("+441632960001", "", False), 1)
    assert [len(callers.on_second(now)) for now in (1, 2, 3, 4)] == [200, 200, 50, 0]


def test_a_line_that_is_removed_leaves_nothing_to_the_next_of_its_name() -> None:
    street = Street()
    called(street, "01632960001")
    street.house.exchange.apply_changes([LineRemoved("1001")], street.house.clock.now)
    street.books.run(1.2)
    assert f"{LAST_CALLER_KEY}1001" not in street.house.journal.state
    assert street.house.exchange.services.last_callers.of("1001", 0) is None


@pytest.mark.parametrize("data", [b"", b"\xc0", b"\x91\x01", b"\x92\x01\x01", encode([1, 2, 3])])
def test_what_cannot_be_read_is_no_caller(data: bytes) -> None:
    assert decode_last_caller(data) is None
