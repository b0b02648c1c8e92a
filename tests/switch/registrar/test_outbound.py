"""Outbound (RFC 5626): several flows of one phone, told apart by reg-id."""

import msgspec
import pytest

from switch.registrar.bindings import Bindings, RegistrarLimits
from switch.registrar.outbound import read_reg_id
from switch.registrar.registrar import RegisterResult
from switch.registrar.stored_bindings import decode_bindings, encode_bindings
from switch.sip.flow import TCP, TLS, UDP, Flow
from switch.sip.message import Request
from tests.switch.registrar.desk import Desk
from tests.switch.registrar.phones import HOME, HOME_URI, WORK, WORK_URI, register

# The instance and the shapes are those of RFC 5626's examples, the addresses those for documentation.
INSTANCE = "<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"
FIRST = Flow(TCP, "203.0.113.9", 40003, "198.51.100.1", 5060, "c1")
SECOND = Flow(TCP, "203.0.113.9", 40004, "198.51.100.1", 5060, "c2")
DATAGRAMS = Flow(UDP, "203.0.113.9", 40005, "198.51.100.1", 5060)
ASKED = "Supported: path, outbound\r\n"


def flow_request(
    contact: str = HOME,
    *,
    reg_id: str | None = "1",
    instance: str | None = INSTANCE,
    params: str = "",
    fields: str = ASKED,
    **more: object,
) -> Request:
    named = "" if instance is None else f';+sip.instance="{instance}"'
    number = "" if reg_id is None else f";reg-id={reg_id}"
    return register(f"{contact}{number}{named}{params}", fields=fields, **more)  # type: ignore[arg-type]


def values(result: RegisterResult, name: str) -> list[str]:
    return [value for found, value in result.headers if found == name]


def flows(desk: Desk) -> list[tuple[int, Flow]]:
    return [(each.reg_id, each.flow) for each in desk.bindings.of("alice", 0.0)]


def test_the_answer_says_that_outbound_is_done_and_names_the_flow() -> None:
    desk = Desk()
    result = desk.ask(flow_request(expires="1800"), flow=FIRST)
    assert values(result, "Require") == values(result, "Supported") == ["outbound"]
    assert values(result, "Flow-Timer") == ["120"]
    assert values(result, "Contact") == [f'<{HOME_URI}>;expires=1800;+sip.instance="{INSTANCE}";reg-id=1']
    (phone,) = desk.bindings.of("alice", 0.0)
    assert (phone.instance, phone.reg_id) == (INSTANCE, 1)


def test_two_flows_of_one_phone_live_side_by_side_even_with_one_contact() -> None:
    desk = Desk()
    desk.ask(flow_request(), flow=FIRST)
    desk.ask(flow_request(reg_id="2", cseq=2), flow=SECOND)
    assert flows(desk) == [(1, FIRST), (2, SECOND)]
    assert desk.contacts() == [HOME_URI, HOME_URI]


def test_a_flow_that_is_made_anew_replaces_itself_and_no_other() -> None:
    desk = Desk()
    desk.ask(flow_request(), flow=FIRST)
    desk.ask(flow_request(reg_id="2", call_id="call-2"), flow=SECOND)
    again = SECOND._replace(remote_port=40099, connection="c3")
    desk.ask(flow_request(WORK, reg_id="2", call_id="rebooted"), flow=again)
    assert flows(desk) == [(1, FIRST), (2, again)]
    assert desk.contacts() == [HOME_URI, WORK_URI]


def test_a_flow_is_taken_away_by_its_reg_id() -> None:
    desk = Desk()
    desk.ask(flow_request(), flow=FIRST)
    desk.ask(flow_request(reg_id="2", cseq=2), flow=SECOND)
    desk.ask(flow_request(reg_id="2", cseq=3, params=";expires=0"), flow=SECOND)
    assert flows(desk) == [(1, FIRST)]


def test_a_late_copy_of_a_flows_request_changes_nothing() -> None:
    desk = Desk()
    desk.ask(flow_request(cseq=7), flow=FIRST)
    assert desk.ask(flow_request(WORK, cseq=6), flow=SECOND).status == 400
    assert flows(desk) == [(1, FIRST)]


def test_the_same_phone_before_and_after_it_learned_outbound() -> None:
    desk = Desk()
    desk.ask(flow_request(reg_id=None, fields=""), flow=DATAGRAMS)
    desk.ask(flow_request(WORK, call_id="c2"), flow=FIRST)
    assert flows(desk) == [(1, FIRST)]
    desk.ask(flow_request(WORK, reg_id="2", call_id="c3"), flow=SECOND)
    desk.ask(flow_request(reg_id=None, fields="", call_id="c4"), flow=DATAGRAMS)
    assert flows(desk) == [(0, DATAGRAMS)]


def test_a_flow_replaces_the_same_contact_without_an_instance() -> None:
    desk = Desk()
    desk.ask(register(HOME), flow=DATAGRAMS)
    desk.ask(flow_request(call_id="call-2"), flow=FIRST)
    assert flows(desk) == [(1, FIRST)]


def test_another_phone_of_the_line_stays() -> None:
    desk = Desk()
    desk.ask(flow_request(), flow=FIRST)
    other = INSTANCE.replace("AABB", "0011")
    desk.ask(flow_request(WORK, instance=other, call_id="call-2"), flow=SECOND)
    assert desk.bindings.count == 2


@pytest.mark.parametrize(
    "without",
    [
        {"fields": ""},  # not asked for: the reg-id counts for nothing
        {"fields": "Supported: path\r\n"},
        {"instance": None},
        {"reg_id": None},
        {"reg_id": "0"},
        {"reg_id": "one"},
        {"reg_id": "4294967297"},
        {
            "fields": ASKED + "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKp\r\n"
        },  # a proxy that knows nothing of it
        {"fields": ASKED + "Path: <sip:edge1.example.com;lr>\r\n"},
        {"fields": ASKED + "Path: <sip:a.example.com;lr;ob>, <sip:edge1.example.com;lr>\r\n"},
    ],
)
def test_without_all_it_takes_a_phone_is_registered_as_ever(without: dict[str, str]) -> None:
    desk = Desk()
    result = desk.ask(flow_request(**without), flow=FIRST)  # type: ignore[arg-type]
    assert (result.status, values(result, "Require"), values(result, "Flow-Timer")) == (200, [], [])
    assert flows(desk) == [(0, FIRST)]


@pytest.mark.parametrize(("transport", "is_done"), [(TCP, True), (TLS, True), (UDP, False)])
def test_it_takes_a_connection_as_stun_is_not_answered(transport: str, is_done: bool) -> None:
    desk = Desk()
    result = desk.ask(flow_request(), flow=FIRST._replace(transport=transport))
    assert bool(values(result, "Require")) is is_done


def test_behind_an_edge_proxy_its_ob_counts_and_not_how_the_proxy_speaks_to_us() -> None:
    desk = Desk()
    path = (
        "Path: <sip:inner.example.com;lr>, <sip:VskztcQ/S8p4WPbOnHbuyh5iJvJIW3ib@edge1.example.com;lr;ob>\r\n"
    )
    result = desk.ask(flow_request(fields=ASKED + path), flow=DATAGRAMS)
    assert values(result, "Require") == ["outbound"]


def test_two_flows_in_one_request_are_400() -> None:
    desk = Desk()
    named = f';reg-id={{}};+sip.instance="{INSTANCE}"'
    both = register(HOME + named.format(1), WORK + named.format(2), fields=ASKED)
    assert desk.ask(both, flow=FIRST).status == 400
    assert desk.bindings.count == 0
    moving = register(HOME + named.format(1) + ";expires=0", WORK + named.format(2), fields=ASKED)
    assert desk.ask(moving, flow=FIRST).status == 200


@pytest.mark.parametrize(
    ("text", "reg_id"),
    [("1", 1), ("2147483647", 2**31 - 1), ("2147483648", 0), ("0", 0), ("01", 1), ("+1", 0), ("1_0", 0),
     ("\u0661", 0), ("", 0), (None, 0), ("9" * 400, 0)],
)  # fmt: skip
def test_reg_id_is_a_number_of_31_bits(text: str | None, reg_id: int) -> None:
    assert read_reg_id(text) == reg_id


# What the table of bindings makes of it


def test_the_other_flow_is_the_latest_live_one_of_the_same_phone() -> None:
    desk = Desk()
    desk.ask(flow_request(), flow=FIRST, now=1.0)
    desk.ask(flow_request(reg_id="2", cseq=2), flow=SECOND, now=2.0)
    third = SECOND._replace(connection="c3")
    desk.ask(flow_request(reg_id="3", cseq=3), flow=third, now=3.0)
    first, _, last = desk.bindings.of("alice", 3.0)
    assert desk.bindings.flow_lost(FIRST) == [first]
    assert desk.bindings.other_flow(first, 3.0) == third
    desk.bindings.flow_failed(last)
    assert desk.bindings.other_flow(first, 3.0) == SECOND
    desk.bindings.flow_lost(SECOND)
    assert desk.bindings.other_flow(first, 3.0) is None


def test_flows_and_paths_come_back_from_the_journal() -> None:
    desk = Desk()
    path = "Path: <sip:edge1.example.com;lr;ob>\r\n"
    desk.ask(flow_request(), flow=FIRST)
    desk.ask(flow_request(reg_id="2", cseq=2, fields=ASKED + path), flow=SECOND)
    before = desk.bindings.of("alice", 0.0)
    after = decode_bindings("alice", encode_bindings(before, 1_700_000_000_000), 1_700_000_000_000)
    assert list(map(msgspec.structs.asdict, after)) == list(map(msgspec.structs.asdict, before))
    table = Bindings(RegistrarLimits())
    assert len(table.restore(after, 0.0)) == 2


@pytest.mark.parametrize(
    ("stored", "instance"),
    [(f"{INSTANCE};1", INSTANCE), (f"{INSTANCE};", INSTANCE), ("", ""), ("a;b;", "a;b")],
)
def test_what_an_older_release_wrote_is_read(stored: str, instance: str) -> None:
    """It kept the reg-id in the instance, and rang all flows together; the next REGISTER puts it right."""
    desk = Desk()
    desk.ask(flow_request(), flow=FIRST)
    (record,) = msgspec.msgpack.decode(encode_bindings(desk.bindings.of("alice", 0.0), 0))
    old = [*record[:7], stored, *record[8:11]]
    (binding,) = decode_bindings("alice", msgspec.msgpack.encode([old]), 0)
    assert (binding.instance, binding.reg_id, binding.path) == (instance, 0, ())
