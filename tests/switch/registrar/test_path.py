"""Path (RFC 3327): the proxies between a phone and us, kept with its binding and told back to it."""

import pytest

from switch.registrar.outbound import PATH_CHARS_MAX, PATH_HOPS_MAX
from switch.sip.message import Request
from tests.switch.registrar.desk import Desk
from tests.switch.registrar.phones import HOME, PHONE, register

EDGE = "<sip:edge1.example.com;lr>"
INNER = "<sip:inner.example.com;lr;keep=a%20b>;why=ok"


def with_path(*values: str, cseq: int = 1, contacts: tuple[str, ...] = (HOME,), fields: str = "") -> Request:
    lines = "".join(f"Path: {value}\r\n" for value in values)
    return register(*contacts, cseq=cseq, fields=f"{lines}{fields}")


def paths(result: object) -> list[str]:
    return [value for name, value in result.headers if name == "Path"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("values", [[INNER, EDGE], [f"{INNER}, {EDGE}"]])
def test_it_is_kept_in_order_and_told_back(values: list[str]) -> None:
    desk = Desk()
    result = desk.ask(with_path(*values, fields="Supported: path\r\n"))
    (phone,) = desk.bindings.of("alice", 0.0)
    assert phone.path == (INNER, EDGE)
    assert phone.flow == PHONE  # requests go where the REGISTER came from, whatever the Path says
    assert (result.status, paths(result)) == (200, [INNER, EDGE])


def test_a_phone_that_does_not_know_of_it_is_registered_all_the_same() -> None:
    """RFC 3327 5.3 leaves that to us. It was a proxy that wrote it, and the phone is reached only with it."""
    desk = Desk()
    assert desk.ask(with_path(EDGE)).status == 200
    assert desk.bindings.of("alice", 0.0)[0].path == (EDGE,)


def test_each_register_says_it_anew() -> None:
    desk = Desk()
    desk.ask(with_path(EDGE))
    desk.ask(with_path(INNER, cseq=2))
    assert desk.bindings.of("alice", 0.0)[0].path == (INNER,)
    result = desk.ask(register(HOME, cseq=3))
    assert (desk.bindings.of("alice", 0.0)[0].path, paths(result)) == ((), [])


def test_a_phone_behind_a_proxy_is_not_pinged_past_it() -> None:
    desk = Desk()
    desk.ask(with_path(EDGE))
    assert not desk.bindings.of("alice", 0.0)[0].is_behind_nat
    assert desk.pings.due(1e6) == []


@pytest.mark.parametrize(
    "bad",
    [
        "<sip:edge1.example.com>",  # a strict router
        "<tel:+441632960001;lr>",
        "<sip:>",
        "edge1.example.com",
        "<sip:edge1.example.com;lr",
        f"<sip:{'e' * PATH_CHARS_MAX}.example.com;lr>",
        ", ".join([EDGE] * (PATH_HOPS_MAX + 1)),
    ],
)
def test_what_is_no_path_is_400_and_changes_nothing(bad: str) -> None:
    desk = Desk()
    assert desk.ask(with_path(bad)).status == 400
    assert desk.bindings.count == 0


def test_octets_that_are_no_utf_8_can_be_written_down() -> None:
    desk = Desk()
    desk.ask(with_path('"\udcff" <sip:edge1.example.com;lr>'))
    for phone in desk.bindings.of("alice", 0.0):
        phone.path[0].encode()
