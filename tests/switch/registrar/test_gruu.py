"""GRUU (RFC 5627): made in the 200 of a REGISTER, read back to one instance, stateless."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.registrar.gruu import PREFIX, TOKEN_CHARS_MAX, Gruus, Reached
from switch.registrar.registrar import RegisterResult
from switch.sip.uri import SipUri, parse_name_addr, parse_uri
from tests.switch.registrar.desk import DOMAIN, Desk, sign
from tests.switch.registrar.phones import HOME, HOME_URI, OTHER_PHONE, WORK, register

INSTANCE = "<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"
OTHER = "<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf7>"
ASKED = "Supported: gruu\r\n"
GRUUS = Gruus(DOMAIN, sign)


def ask(
    desk: Desk,
    contact: str = HOME,
    *,
    instance: str = INSTANCE,
    fields: str = ASKED,
    now: float = 0.0,
    **more: object,
) -> RegisterResult:
    request = register(f'{contact};+sip.instance="{instance}"', fields=fields, **more)  # type: ignore[arg-type]
    return desk.ask(request, now=now)


def gruus_in(result: RegisterResult) -> list[tuple[str, str]]:
    assert result.status == 200
    params = [parse_name_addr(value).params for name, value in result.headers if name == "Contact"]
    return [
        (each["pub-gruu"].strip('"'), each["temp-gruu"].strip('"')) for each in params if "pub-gruu" in each
    ]


def reached(desk: Desk, uri: str, now: float = 0.0) -> Reached | None:
    parsed = parse_uri(uri)
    assert isinstance(parsed, SipUri)
    return GRUUS.find(parsed, desk.bindings, now)


def test_the_200_has_the_shape_of_the_rfcs_example() -> None:
    desk = Desk()
    result = ask(desk, expires="3600")
    ((name, value),) = result.headers
    assert name == "Contact"
    address = parse_name_addr(value)
    assert address.uri == HOME_URI
    assert address.params["+sip.instance"] == f'"{INSTANCE}"'
    assert address.params["pub-gruu"] == f'"sip:alice@{DOMAIN};gr={INSTANCE[1:-1]}"'
    temporary = parse_uri(address.params["temp-gruu"].strip('"'))
    assert isinstance(temporary, SipUri)
    assert (temporary.host, temporary.params) == (DOMAIN, {"gr": None})
    assert temporary.user.startswith(PREFIX)
    assert "alice" not in temporary.user


@pytest.mark.parametrize("fields", ["", "Supported: path\r\n"])
def test_who_does_not_ask_gets_none(fields: str) -> None:
    result = ask(Desk(), fields=fields)
    assert result.headers == [("Contact", f"<{HOME_URI}>;expires=3600")]


def test_who_names_no_instance_gets_none() -> None:
    assert gruus_in(Desk().ask(register(HOME, fields=ASKED))) == []


def test_a_public_one_reaches_its_instance_while_that_is_registered() -> None:
    desk = Desk()
    ask(desk)
    ((public, _), _) = gruus_in(ask(desk, WORK, instance=OTHER, call_id="call-2"))
    assert reached(desk, public) == ("alice", INSTANCE)
    assert reached(desk, public, now=4000.0) == ("alice", "")
    # The address is another one now, the GRUU the same.
    ((again, _), _) = gruus_in(ask(desk, "<sip:alice@192.0.2.77>", call_id="call-3"))[::-1]
    assert again == public


def test_a_temporary_one_is_new_with_each_register_and_all_of_them_hold() -> None:
    desk = Desk()
    temporaries = [gruus_in(ask(desk, cseq=cseq))[0][1] for cseq in range(1, 5)]
    assert len(set(temporaries)) == 4
    assert {reached(desk, uri) for uri in temporaries} == {("alice", INSTANCE)}


def test_a_temporary_one_ends_with_its_call_id_and_with_its_registration() -> None:
    desk = Desk()
    ((_, before),) = gruus_in(ask(desk))
    ((_, after),) = gruus_in(ask(desk, call_id="rebooted"))
    assert reached(desk, before) is None
    assert reached(desk, after) == ("alice", INSTANCE)
    assert reached(desk, after, now=4000.0) is None


def test_the_temporary_one_of_each_instance_is_its_own() -> None:
    desk = Desk()
    ask(desk)
    (first, second) = gruus_in(ask(desk, WORK, instance=OTHER, call_id="call-2"))
    assert reached(desk, first[1]) == ("alice", INSTANCE)
    assert reached(desk, second[1]) == ("alice", OTHER)


def test_both_flows_of_a_phone_are_one_instance() -> None:
    desk = Desk()
    flow = OTHER_PHONE._replace(transport="TCP", connection="c1")
    fields = "Supported: gruu, outbound\r\n"
    for reg_id in (1, 2):
        request = register(f'{HOME};reg-id={reg_id};+sip.instance="{INSTANCE}"', fields=fields, cseq=reg_id)
        result = desk.ask(request, flow=flow)
    (first, second) = gruus_in(result)
    assert first[0] == second[0]
    assert [reached(desk, uri) for uri in (first[1], second[1])] == [("alice", INSTANCE)] * 2


@pytest.mark.parametrize(
    "instance", ["<urn:uuid:a;b=c>", "no brackets", "<mac 00:11>", "<\u00e9\u4e2d>", "%41<>?@"]
)
def test_an_instance_that_is_no_urn_comes_back_as_it_was(instance: str) -> None:
    desk = Desk()
    ((public, temporary),) = gruus_in(ask(desk, instance=instance))
    assert reached(desk, public) == reached(desk, temporary) == ("alice", instance)


def test_nobody_makes_one_without_the_key() -> None:
    desk = Desk()
    ((_, temporary),) = gruus_in(ask(desk))
    uri = parse_uri(temporary)
    assert isinstance(uri, SipUri)
    stranger = Gruus(DOMAIN, lambda text: f"{len(text):012x}")
    assert stranger.find(uri, desk.bindings, 0.0) is None
    user = uri.user or ""
    for place in range(len(PREFIX), len(user) - 1):
        other = "a" if user[place] != "a" else "b"
        forged = SipUri("sip", user[:place] + other + user[place + 1 :], None, DOMAIN, None, {"gr": None})
        assert GRUUS.find(forged, desk.bindings, 0.0) is None


@given(st.one_of(st.text(), st.text("abcdefghijklmnopqrstuvwxyz234567", max_size=2 * TOKEN_CHARS_MAX)))
def test_any_text_is_read_without_an_error(text: str) -> None:
    desk = Desk()
    ask(desk)
    for user, gr in ((PREFIX + text, None), (text, None), ("alice", text or None)):
        uri = SipUri("sip", user, None, DOMAIN, None, {"gr": gr})
        found = GRUUS.find(uri, desk.bindings, 0.0)
        assert found is None or found == ("alice", "")


@given(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789._-+", min_size=1, max_size=64), st.integers(0, 2**31 - 1)
)
def test_every_line_gets_one_that_a_phone_can_carry(user: str, cseq: int) -> None:
    desk = Desk()
    request = register(
        f'{HOME};+sip.instance="{INSTANCE}"', user="x", to=f"<sip:{user}@{DOMAIN}>", fields=ASKED, cseq=cseq
    )
    ((public, temporary),) = gruus_in(desk.ask(request, user=user))
    assert max(len(public), len(temporary)) < 256
    for uri in (public, temporary):
        assert reached(desk, uri) == (user, INSTANCE)
