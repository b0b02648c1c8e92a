"""Records of calls that are up: what the fault desk is told of them, and that asking changes nothing."""

import msgspec

from rating.records import Cdr
from switch.live_records import LiveQuestion, live_media, live_records
from tests.switch.calls.office import Office
from tests.switch.calls.test_relayed_calls import talking
from tests.switch.test_operator_surface import ask


def records(office: Office, **question: object) -> list[list[Cdr]]:
    board = office.house.exchange.board
    return live_records(board, LiveQuestion(**question), office.house.clock.now)  # type: ignore[arg-type]


def test_a_call_that_rings_and_then_talks_has_its_records_so_far() -> None:
    office = Office()
    office.alice.invite("01632960002")
    office.run(0.1)
    ((caller, *_),) = records(office)
    assert (caller.outcome, caller.line, caller.answered_at_ms) == ("open", "alice", None)
    office.run(10)
    ((caller, callee),) = records(office)
    assert (caller.outcome, callee.outcome, callee.line) == ("open", "open", "bob")
    assert caller.answered_at_ms is not None
    assert caller.duration_ms > 8000
    assert caller.cost_micros == 40_000
    assert caller.other_sip_call_id == callee.sip_call_id
    kept = next(iter(office.house.exchange.board.calls.values())).rows[0]
    assert (kept.duration_ms, kept.cost_micros, kept.ended_at_ms) == (0, 0, kept.setup_at_ms)


def test_a_phone_that_refused_says_so_while_another_one_rings() -> None:
    office = Office()
    office.bob.answer_after_s = None
    second = office.house.phone("bob", "192.0.2.30")
    second.answer = 486
    second.register()
    office.alice.invite("01632960002")
    office.run(3)
    ((caller, *phones),) = records(office)
    assert caller.outcome == "open"
    assert sorted((row.outcome, row.sip_status) for row in phones) == [("busy", 486), ("open", 0)]


def test_calls_are_asked_for_by_what_stands_on_a_leg() -> None:
    office = Office()
    office.call(office.alice, "01632960002")
    office.call(office.dora, "07700900123")
    first, second = (row[0] for row in records(office))
    assert (first.line, second.line) == ("dora", "alice")  # the latest first
    for texts, lines in (
        (["bob"], ["alice"]),
        (["+441632960002", "alice"], ["alice"]),
        (["out"], ["dora"]),
        ([first.sip_call_id], ["dora"]),
        (["bob", "out"], []),
        (["nobody"], []),
    ):
        assert [rows[0].line for rows in records(office, texts=texts)] == lines, texts
    assert [rows[0].line for rows in records(office, call_id=second.call_id)] == ["alice"]
    assert records(office, call_id="another") == []
    assert records(office, since_ms=first.ended_at_ms + 1) == []
    assert records(office, until_ms=second.setup_at_ms) == []
    office.alice.hang_up()
    office.run(1)
    assert [rows[0].line for rows in records(office)] == ["dora"]


def test_the_control_socket_gives_them_as_records_that_can_be_read_again() -> None:
    office = Office()
    office.call(office.alice, "01632960002")
    answer = ask(office.house, command="live_records", live={"texts": ["alice"]})
    assert answer["ok"] is True
    assert len(answer["result"]) == 1
    told = msgspec.json.decode(msgspec.json.encode(records(office)), type=list[list[Cdr]])
    assert told == records(office)
    assert ask(office.house, command="live_records", live={"texts": 3})["ok"] is False


def test_the_sound_so_far_is_what_the_relay_said_last() -> None:
    house, stub, alice, _ = talking()
    (call,) = house.exchange.board.calls.values()
    assert live_media(stub.relay, call.id, 7) == []
    caller = max(stub.opened)
    stub.count(caller, packets=100, is_closed=False)
    (figures,) = live_media(stub.relay, call.id, 7)
    assert (figures.call_id, figures.leg, figures.packets, figures.ended_at_ms) == (call.id, 0, 100, 7)
    assert live_media(stub.relay, "another", 7) == []
    assert ask(house, command="live_media", call_id="another")["result"] == []
    alice.hang_up()
    house.run(2)
    assert live_media(stub.relay, call.id, 7) == []
