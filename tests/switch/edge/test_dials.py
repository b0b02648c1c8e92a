import pytest

from switch.edge.dialler import dial_problem
from switch.edge.dials import Dials
from switch.edge.limits import DIAL_QUEUE_BYTES_MAX, DIALS_MAX
from switch.sip.flow import TCP, TLS, WSS, Flow

FLOW = Flow(TCP, "192.0.2.1", 5060, "192.0.2.2", 5060)
SOUGHT = ((TCP, "192.0.2.1", 5060), "")


def test_messages_for_one_address_wait_for_one_connection_in_order() -> None:
    dials = Dials()
    assert not dials.is_dialling(SOUGHT)
    assert dials.add(SOUGHT, FLOW, b"1") is None
    assert dials.is_dialling(SOUGHT)
    assert dials.add(SOUGHT, FLOW, b"2") is None
    assert dials.finish(SOUGHT) == [(FLOW, b"1"), (FLOW, b"2")]
    assert not dials.is_dialling(SOUGHT)


def test_what_is_meant_for_another_name_there_waits_for_a_connection_of_its_own() -> None:
    remote, _ = SOUGHT
    dials = Dials()
    dials.add((remote, "one.example"), FLOW, b"1")
    assert not dials.is_dialling((remote, "two.example"))
    dials.add((remote, "two.example"), FLOW, b"2")
    assert dials.finish((remote, "one.example")) == [(FLOW, b"1")]
    assert dials.finish((remote, "two.example")) == [(FLOW, b"2")]


def test_too_much_for_one_address_is_refused_and_the_rest_still_goes() -> None:
    dials = Dials()
    assert dials.add(SOUGHT, FLOW, b"x" * DIAL_QUEUE_BYTES_MAX) is None
    assert dials.add(SOUGHT, FLOW, b"x") == "too much waits for this connection"
    assert len(dials.finish(SOUGHT)) == 1


def test_too_many_addresses_at_once_are_refused() -> None:
    dials = Dials()
    for port in range(1, DIALS_MAX + 1):
        assert dials.add(((TCP, "192.0.2.1", port), ""), FLOW, b"") is None
    assert dials.add(SOUGHT, FLOW, b"") == "too many connections are being opened"


@pytest.mark.parametrize(
    ("remote", "problem"),
    [
        ((TCP, "192.0.2.1", 5060), None),
        ((TLS, "2001:db8::1", 5061), None),
        ((TCP, "example.com", 5060), "not an address: 'example.com'"),
        ((TCP, "fe80::1%eth0", 5060), "not an address: 'fe80::1%eth0'"),
        ((TCP, "192.0.2.1", 0), "not a port: 0"),
        ((TCP, "192.0.2.1", 70000), "not a port: 70000"),
        ((WSS, "192.0.2.1", 443), "a WebSocket is opened by its browser only"),
    ],
)
def test_only_a_literal_address_is_dialled(remote: tuple[str, str, int], problem: str | None) -> None:
    assert dial_problem(remote) == problem
