"""Malicious calls: marked by code, by the operator or because the line is watched; kept once, with all that came."""

import asyncio
import json

import msgspec
import pytest

from provisioning.settings import LineSettings
from rating.records import TracedCall
from rating.tariff import load_tariff
from switch.calls.identity import CallerId
from switch.calls.last_calls import FIELDS_MAX, LINES_MAX, VALUE_CHARS_MAX, LastCall, LastCalls, shown_fields
from switch.calls.tracing import mark_last_call
from switch.control import Control
from switch.sip.flow import Flow
from tests.switch.house import TARIFF_CSV, House, Phone, make_conf, make_line, make_trunk
from tests.switch.test_operator_surface import Running

CARRIER = "192.0.2.50"
BOB = "+441632960002"
CALLER = "+441632960123"
DAY_S = 86_400.0


def make_town(**bob: object) -> tuple[House, Phone, Phone, Phone]:
    house = House(
        conf=make_conf(trunks=[make_trunk("carrier", CARRIER)]),
        lines=[make_line("alice"), make_line("bob", **bob)],
        numbers={"+441632960001": "alice", BOB: "bob"},
    )
    alice, bob_phone = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.11")
    alice.register()
    bob_phone.register()
    return house, alice, bob_phone, house.phone("carrier", CARRIER)


def ring(house: House, carrier: Phone) -> None:
    carrier.invite(
        BOB,
        from_='"Nobody" <sip:anonymous@anonymous.invalid>',
        extra=[("p-asserted-identity", f"<sip:{CALLER}@{CARRIER}>"), ("privacy", "id")],
    )
    house.run(2)
    carrier.hang_up()
    house.run(40)


def traced(house: House) -> list[TracedCall]:
    return [record for record in house.journal.records if isinstance(record, TracedCall)]


def test_a_marked_call_is_kept_with_what_the_carrier_said_and_only_once() -> None:
    house, _, _, carrier = make_town()
    board = house.exchange.board
    bob = board.books.lines["bob"]
    assert mark_last_call(bob, board, house.clock.now) is None
    began = house.wall.ms(house.clock.now)
    ring(house, carrier)
    assert traced(house) == []
    last = mark_last_call(bob, board, house.clock.now)
    assert mark_last_call(bob, board, house.clock.now) is last
    (record,) = traced(house)
    assert (record.call_id, record.line, record.marked_by) == (house.journal.cdrs()[0].call_id, "bob", "code")
    assert 0 <= record.called_at_ms - began <= 100 and record.marked_at_ms == house.wall.ms(house.clock.now)
    assert (record.network_number, record.is_withheld) == (CALLER, True)
    assert (record.trunk, record.caller_line) == ("carrier", "")
    assert record.source_address == f"udp:{CARRIER}:5060"
    headers = record.identity_headers.lower().split("\n")
    assert f"p-asserted-identity: <sip:{CALLER}@{CARRIER}>" in headers and "privacy: id" in headers
    assert house.exchange.counts.calls_traced == 1
    house.assert_clean()


def test_a_call_from_a_line_is_traced_to_the_line() -> None:
    house, alice, _, _ = make_town()
    alice.invite("14101632960002")
    house.run(2)
    board = house.exchange.board
    mark_last_call(board.books.lines["bob"], board, house.clock.now)  # the call is still up
    (record,) = traced(house)
    assert (record.caller_line, record.trunk, record.network_number) == ("alice", "", "+441632960001")
    assert record.is_withheld


@pytest.mark.parametrize(
    ("until", "count"), [("2099-01-01", 2), ("2026-09-21", 1), ("2026-09-20", 0), ("", 0)]
)
def test_a_watched_line_has_its_calls_traced_up_to_the_day(until: str, count: int) -> None:
    house, _, _, carrier = make_town(settings=LineSettings(traces_until=until))
    ring(house, carrier)
    house.exchange.board.clock.offset_s += DAY_S
    ring(house, carrier)
    assert [record.marked_by for record in traced(house)] == ["watch"] * count
    board = house.exchange.board
    mark_last_call(board.books.lines["bob"], board, house.clock.now)
    assert len(traced(house)) == max(count, 1) if count != 1 else 2


def test_the_operator_marks_by_command_and_is_not_told_who_called() -> None:
    house, _, _, carrier = make_town()
    control = Control(Running(house))

    def ask(**arguments: str) -> dict[str, object]:
        request = json.dumps({"command": "mark_last_call", **arguments}).encode()
        return asyncio.run(control._answer(request))

    assert ask(user="nobody")["ok"] is False
    assert "since the exchange was started" in str(ask(user="bob")["error"])
    ring(house, carrier)
    assert ask(user="bob") == {"ok": True, "result": house.journal.cdrs()[0].call_id}
    assert [record.marked_by for record in traced(house)] == ["operator"]


def test_a_call_that_nobody_pays_for_does_not_push_out_the_one_before() -> None:
    house, alice, _, carrier = make_town(settings=LineSettings(traces_until="2099-01-01"))
    ring(house, carrier)
    house.exchange.engine.debit_usage(1, house.balance())
    tariff = load_tariff("retail", TARIFF_CSV + "on-net,On-net,0.01,0.03,60,60,2020-01-01,\n", "inc_vat")
    house.exchange.board.conf = msgspec.structs.replace(house.conf, tariffs={"retail": tariff})
    alice.invite("01632960002")
    house.run(2)
    assert alice.statuses[-1] == 402
    assert [record.trunk for record in traced(house)] == ["carrier"]
    last = house.exchange.board.last_calls.of("bob")
    assert last is not None and last.trunk == "carrier"


def test_refused_and_emergency_calls_are_nobodys_last_call() -> None:
    house, alice, _, carrier = make_town(settings=LineSettings(rejects_anonymous=True))
    carrier.invite(BOB, from_="<sip:anonymous@anonymous.invalid>", extra=[("privacy", "id")])
    alice.invite("999")
    house.run(2)
    assert house.exchange.board.last_calls.count == 0


def test_lines_with_a_last_call_are_limited_and_the_oldest_is_forgotten() -> None:
    calls = LastCalls()
    call = LastCall(
        call_id="1",
        at=0.0,
        caller_id=CallerId(CALLER, CALLER, is_withheld=False),
        caller_line="",
        trunk="",
        flow=Flow("UDP", "192.0.2.1", 5060, CARRIER, 5060),
        fields=[],
    )
    for place in range(LINES_MAX):
        calls.note(str(place), call)
    calls.note("0", call)
    calls.note("one more", call)
    assert calls.count == LINES_MAX
    assert calls.of("1") is None and calls.of("0") is call


def test_what_is_kept_of_headers_has_a_limit_and_no_control_characters() -> None:
    fields = [("from", "x" * 1000), ("diversion", "a\nb\x1b\udc80"), *[("diversion", "d")] * 40]
    lines = shown_fields(fields).split("\n")
    assert len(lines) == FIELDS_MAX
    assert len(lines[0]) == len("from: ") + VALUE_CHARS_MAX
    assert lines[1].isprintable()
