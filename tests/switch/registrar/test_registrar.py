"""REGISTER: RFC 3261 10.3, step by step, and what phones really send."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.registrar.bindings import RegistrarLimits
from switch.registrar.registrar import (
    CALL_ID_CHARS_MAX,
    CONTACT_CHARS_MAX,
    CONTACTS_PER_REQUEST_MAX,
    USER_AGENT_CHARS_MAX,
)
from switch.registrar.stored_bindings import decode_bindings, encode_bindings
from switch.sip.message import Request, Response
from switch.sip.parser import parse_message
from switch.sip.uri import SipUri, parse_name_addr
from tests.switch.registrar.desk import Desk, listed
from tests.switch.registrar.phones import (
    CONNECTION,
    HOME,
    HOME_URI,
    OTHER_PHONE,
    PHONE,
    SECURE,
    WORK,
    WORK_URI,
    register,
)

CORPORA = Path(__file__).resolve().parents[4] / "shared" / "corpora"
FLOWS = CORPORA / "flows" / "rfc3665"
needs_corpora = pytest.mark.skipif(not FLOWS.exists(), reason=f"the shared corpora are not at {CORPORA}")


# Registering, asking, leaving


def test_a_phone_registers_and_is_told_what_it_got() -> None:
    desk = Desk()
    result = desk.ask(register(HOME, expires="1800"))
    assert listed(result) == [f"<{HOME_URI}>;expires=1800"]
    assert result.changed
    (phone,) = desk.bindings.contacts_for("alice", 1799.0)
    assert (phone.contact, phone.flow, phone.expires_at) == (HOME_URI, PHONE, 1800.0)
    assert desk.bindings.contacts_for("alice", 1800.0) == []


def test_a_request_without_contact_lists_the_bindings_and_changes_nothing() -> None:
    desk = Desk()
    assert listed(desk.ask(register())) == []
    desk.ask(register(HOME, expires="600"))
    result = desk.ask(register(call_id="another", cseq=99), now=100.4)
    assert listed(result) == [f"<{HOME_URI}>;expires=500"]
    assert not result.changed


def test_several_contacts_live_side_by_side() -> None:
    desk = Desk()
    desk.ask(register(HOME, expires="600"))
    result = desk.ask(register(WORK, call_id="call-2", expires="60"), flow=OTHER_PHONE, now=10.0)
    assert listed(result) == [f"<{HOME_URI}>;expires=590", f"<{WORK_URI}>;expires=60"]
    assert [each.flow for each in desk.bindings.of("alice", 10.0)] == [PHONE, OTHER_PHONE]


def test_several_contacts_may_come_in_one_request_in_one_field_or_many() -> None:
    desk = Desk()
    desk.ask(register(f"{HOME};q=0.5, {WORK};expires=60", "sip:third@192.0.2.3;expires=90", expires="600"))
    assert [(each.contact, each.expires_at, each.q) for each in desk.bindings.of("alice", 0.0)] == [
        (HOME_URI, 600.0, 0.5),
        (WORK_URI, 60.0, None),
        ("sip:third@192.0.2.3", 90.0, None),
    ]


def test_expires_0_takes_one_binding_away() -> None:
    desk = Desk()
    desk.ask(register(HOME, WORK))
    result = desk.ask(register(f"{HOME};expires=0", cseq=2), now=1.0)
    assert result.changed
    assert desk.contacts() == [WORK_URI]
    assert not desk.ask(register(f"{HOME};expires=0", cseq=3), now=2.0).changed


def test_the_expires_field_counts_for_contacts_without_their_own() -> None:
    desk = Desk()
    desk.ask(register(HOME, WORK))
    desk.ask(register(f"{HOME};expires=600", WORK, cseq=2, expires="0"), now=1.0)
    assert desk.contacts() == [HOME_URI]


def test_a_star_takes_everything_away() -> None:
    desk = Desk()
    desk.ask(register(HOME, WORK))
    result = desk.ask(register("*", cseq=2, expires="0"))
    assert listed(result) == []
    assert result.changed
    assert (desk.bindings.count, desk.bindings.aors_count) == (0, 0)
    assert not desk.ask(register("*", cseq=3, expires="0")).changed


@pytest.mark.parametrize(
    ("contacts", "expires"),
    [
        (["*"], None),
        (["*"], "1"),
        (["*"], "3600"),
        (["*"], "nonsense"),
        (["*", HOME], "0"),
        ([HOME, "*"], "0"),
        ([f"*, {HOME}"], "0"),
        (["*;expires=0"], "0"),
        (["*", "*"], "0"),
    ],
)
def test_a_star_with_anything_but_expires_0_is_a_bad_request(
    contacts: list[str], expires: str | None
) -> None:
    desk = Desk()
    desk.ask(register(HOME))
    result = desk.ask(register(*contacts, cseq=2, expires=expires))
    assert (result.status, result.changed) == (400, False)
    assert desk.contacts() == [HOME_URI]


# Refreshing


def test_the_same_contact_is_refreshed_not_added() -> None:
    desk = Desk()
    desk.ask(register(HOME, expires="600"))
    (before,) = desk.bindings.of("alice", 0.0)
    desk.ask(register(HOME, cseq=2, expires="600"), now=500.0)
    (after,) = desk.bindings.of("alice", 500.0)
    assert after is before
    assert (after.expires_at, after.registered_at, after.refreshed_at) == (1100.0, 0.0, 500.0)


@pytest.mark.parametrize(
    "again",
    [
        "<sip:alice@192.168.1.20:5060;transport=udp>",
        "<SIP:alice@192.168.1.20:5060;transport=UDP>",
        "<sip:%61lice@192.168.1.20:5060;Transport=udp;line=x>",
        "sip:alice@192.168.1.20:5060;expires=600",
    ],
)
def test_contacts_are_compared_as_uris(again: str) -> None:
    """19.1.4: over escapes, case and parameters that do not count. Without <> there are no parameters."""
    desk = Desk()
    first = HOME if "<" not in again else "<sip:alice@192.168.1.20:5060;transport=udp>"
    desk.ask(register(first))
    desk.ask(register(again, call_id="call-2"), now=10.0)
    assert desk.bindings.count == 1


@pytest.mark.parametrize(
    "other", ["<sip:alice@192.168.1.20>", "<sip:Alice@192.168.1.20:5060>", f"<{HOME_URI};transport=tcp>"]
)
def test_other_uris_are_other_contacts(other: str) -> None:
    desk = Desk()
    desk.ask(register(HOME))
    desk.ask(register(other, call_id="call-2"))
    assert desk.bindings.count == 2


def test_a_phone_that_comes_back_after_a_reboot_replaces_itself() -> None:
    """A new Call-ID, a CSeq that starts anew, another hole in its NAT: the URI says that it is the same."""
    desk = Desk()
    desk.ask(register(HOME, call_id="before", cseq=4711))
    result = desk.ask(register(HOME, call_id="after", cseq=1), flow=OTHER_PHONE, now=60.0)
    assert len(listed(result)) == 1
    (phone,) = desk.bindings.contacts_for("alice", 60.0)
    assert phone.flow == OTHER_PHONE
    assert desk.bindings.user_at(PHONE, "alice", 60.0) is None


def test_a_dead_phone_that_registers_is_alive() -> None:
    desk = Desk()
    desk.ask(register(HOME))
    (phone,) = desk.bindings.of("alice", 0.0)
    phone.is_dead = True
    desk.ask(register(HOME, cseq=2), now=1.0)
    assert not phone.is_dead


INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"'


def test_a_device_that_names_its_instance_leaves_no_ghost_at_its_old_address() -> None:
    desk = Desk()
    desk.ask(register(f"{HOME};{INSTANCE}", call_id="wifi"))
    desk.ask(register(f"{WORK};{INSTANCE}", call_id="mobile"), flow=OTHER_PHONE)
    assert desk.contacts() == [WORK_URI]


def test_a_device_that_names_its_instance_is_refreshed_like_any_other() -> None:
    desk = Desk()
    for cseq in (1, 2):
        desk.ask(register(f"{HOME};{INSTANCE}", cseq=cseq), now=float(cseq))
    (phone,) = desk.bindings.of("alice", 2.0)
    assert (phone.registered_at, phone.refreshed_at) == (1.0, 2.0)


def test_leaving_an_old_address_does_not_take_the_devices_new_one_away() -> None:
    desk = Desk()
    desk.ask(register(f"{HOME};{INSTANCE}", cseq=1))
    desk.ask(register(f"{WORK};{INSTANCE}", cseq=2))
    desk.ask(register(f"{HOME};{INSTANCE};expires=0", cseq=3))
    assert desk.contacts() == [WORK_URI]


@pytest.mark.parametrize("is_ending_first", [True, False])
def test_a_contact_both_ended_and_wanted_in_one_request_stays(is_ending_first: bool) -> None:
    desk = Desk()
    desk.ask(register(HOME))
    contacts = [f"{HOME};expires=0", f"{HOME};expires=300"]
    result = desk.ask(register(*(contacts if is_ending_first else contacts[::-1]), cseq=2))
    assert listed(result) == [f"<{HOME_URI}>;expires=300"]


@pytest.mark.parametrize("is_old_first", [True, False])
def test_a_device_that_learns_its_public_address_moves_in_one_request(is_old_first: bool) -> None:
    """pjsip sends the new Contact and the old one with expires=0 together."""
    desk = Desk()
    desk.ask(register(f"{HOME};{INSTANCE}"))
    contacts = [f"{HOME};{INSTANCE};expires=0", f"<sip:alice@203.0.113.7:40001>;{INSTANCE};expires=300"]
    desk.ask(register(*(contacts if is_old_first else contacts[::-1]), cseq=2))
    assert desk.contacts() == ["sip:alice@203.0.113.7:40001"]


def test_of_one_contact_given_twice_the_last_counts() -> None:
    desk = Desk()
    desk.ask(register(f"{HOME};expires=600;q=0.1", f"{HOME};expires=300;q=0.2"))
    assert [(each.expires_at, each.q) for each in desk.bindings.of("alice", 0.0)] == [(300.0, 0.2)]
    desk.ask(register(f"{HOME};expires=600;q=0.3", f"{HOME};expires=300;q=0.4", cseq=2))
    assert [(each.expires_at, each.q) for each in desk.bindings.of("alice", 0.0)] == [(300.0, 0.4)]


# Order: Call-ID and CSeq


@pytest.mark.parametrize("cseq", [4, 5])
@pytest.mark.parametrize("late", [[HOME], [f"{HOME};expires=0"], ["*"], [WORK, f"{HOME};q=0.5"]])
def test_a_request_that_was_overtaken_changes_nothing(late: list[str], cseq: int) -> None:
    desk = Desk()
    desk.ask(register(HOME, cseq=5, expires="600"))
    result = desk.ask(register(*late, cseq=cseq, expires="0" if late == ["*"] else "300"), now=1.0)
    assert (result.status, result.changed) == (400, False)
    (phone,) = desk.bindings.of("alice", 1.0)
    assert (phone.contact, phone.expires_at, phone.q) == (HOME_URI, 600.0, None)


def test_another_call_id_is_in_no_order_with_this_one() -> None:
    desk = Desk()
    desk.ask(register(HOME, cseq=5))
    assert desk.ask(register("*", call_id="call-2", cseq=1, expires="0")).status == 200
    assert desk.contacts() == []


def test_an_out_of_order_request_for_another_contact_of_the_same_phone_is_taken() -> None:
    """Step 7 compares with the binding of that URI only."""
    desk = Desk()
    desk.ask(register(HOME, cseq=5))
    assert desk.ask(register(WORK, cseq=4)).status == 200
    assert desk.bindings.count == 2


# All or nothing


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        ("<sip:alice@>", 400),
        ("<not a uri>", 400),
        ("<sip:alice@192.0.2.3", 400),
        ("sip:a@192.0.2.3?x=y", 400),
        ("<sip:alice@192.0.2.3>;expires=30", 423),
        ("<sip:alice@192.0.2.3:99999>", 400),
        (f"<sip:{'a' * CONTACT_CHARS_MAX}@192.0.2.3>", 400),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_one_bad_contact_refuses_the_whole_request(bad: str, status: int, is_first: bool) -> None:
    desk = Desk()
    desk.ask(register(HOME, expires="600"))
    good = [f"{HOME};expires=0", f"{WORK};expires=600"]
    contacts = [bad, *good] if is_first else [*good, bad]
    result = desk.ask(register(*contacts, cseq=2), now=1.0)
    assert (result.status, result.changed) == (status, False)
    assert [(each.contact, each.expires_at) for each in desk.bindings.of("alice", 1.0)] == [(HOME_URI, 600.0)]


def test_refusals_come_in_one_fixed_order() -> None:
    """A request that breaks every rule, mended one by one."""
    desk = Desk(RegistrarLimits(bindings_per_aor_max=1))
    desk.ask(register(HOME, cseq=5))
    many = [f"<sip:x{number}@192.0.2.3>;expires=0" for number in range(CONTACTS_PER_REQUEST_MAX)]
    brief, bad, late = f"{WORK};expires=30", "<bad>", f"{HOME};q=0.5"
    mallory = "<sip:mallory@exchange.example.org>"

    def status(*contacts: str, cseq: int = 5, to: str | None = None) -> int:
        return desk.ask(register(*contacts, cseq=cseq, to=to)).status

    assert status(*many, bad, brief, late, to=mallory) == 403
    assert status(*many, bad, brief, late) == 403
    assert status(bad, brief, late) == 400
    assert status(brief, late) == 423
    assert status(WORK, late) == 400
    assert status(WORK, late, cseq=6) == 403
    assert status(WORK, cseq=6) == 200


# Whose address it is


@pytest.mark.parametrize(
    "to",
    [
        "<sip:bob@exchange.example.org>",
        "<sip:Alice@exchange.example.org>",
        "<sip:exchange.example.org>",
        "<tel:+441632960001>",
        "<mailto:alice@exchange.example.org>",
    ],
)
@pytest.mark.parametrize("contacts", [[], [HOME], ["*"]])
def test_nobody_registers_for_somebody_else(to: str, contacts: list[str]) -> None:
    desk = Desk()
    desk.ask(register(HOME, user="bob"), user="bob")
    result = desk.ask(register(*contacts, to=to, expires="0" if contacts == ["*"] else None))
    assert (result.status, result.headers, result.changed) == (403, [], False)
    assert desk.contacts("bob") == [HOME_URI]


@pytest.mark.parametrize(
    "to",
    [
        '"Alice" <sip:alice@exchange.example.org>',
        "sip:alice@exchange.example.org",
        "<sips:alice@exchange.example.org:5061;user=phone>",
        "<sip:%61lice@192.0.2.1>",
    ],
)
def test_the_aor_may_be_written_in_many_ways(to: str) -> None:
    assert Desk().ask(register(HOME, to=to)).status == 200


def test_a_to_that_cannot_be_read_is_a_bad_request() -> None:
    assert Desk().ask(register(HOME, to="<not a uri>")).status == 400


# Limits


def test_at_the_limit_the_binding_refreshed_longest_ago_makes_room() -> None:
    desk = Desk(RegistrarLimits(bindings_per_aor_max=3))
    for number in range(3):
        desk.ask(register(f"<sip:{number}@192.0.2.3>", call_id=f"c{number}"), now=float(number))
    desk.ask(register("<sip:0@192.0.2.3>", call_id="c0", cseq=2), now=10.0)
    result = desk.ask(register("<sip:new@192.0.2.3>", call_id="new"), now=11.0)
    assert result.evicted == 1
    assert desk.contacts() == ["sip:0@192.0.2.3", "sip:2@192.0.2.3", "sip:new@192.0.2.3"]


def test_at_the_limit_a_dead_phone_makes_room_first() -> None:
    desk = Desk(RegistrarLimits(bindings_per_aor_max=2))
    desk.ask(register(HOME), now=0.0)
    desk.ask(register(WORK, call_id="call-2"), now=5.0)
    desk.bindings.of("alice", 5.0)[1].is_dead = True
    desk.ask(register("<sip:new@192.0.2.3>", call_id="new"), now=6.0)
    assert desk.contacts() == [HOME_URI, "sip:new@192.0.2.3"]


def test_at_the_limit_a_refresh_needs_no_room() -> None:
    desk = Desk(RegistrarLimits(bindings_per_aor_max=1))
    desk.ask(register(HOME))
    assert desk.ask(register(HOME, cseq=2)).evicted == 0
    assert desk.ask(register(f"{HOME};expires=0", WORK, cseq=3)).evicted == 0
    assert desk.contacts() == [WORK_URI]


def test_a_request_that_alone_asks_for_too_many_is_forbidden_whole() -> None:
    desk = Desk(RegistrarLimits(bindings_per_aor_max=2))
    desk.ask(register(HOME))
    result = desk.ask(register(*(f"<sip:{number}@192.0.2.3>" for number in range(3)), call_id="call-2"))
    assert (result.status, result.changed) == (403, False)
    assert desk.contacts() == [HOME_URI]


def test_a_thousand_contacts_are_refused_without_reading_them() -> None:
    desk = Desk()
    result = desk.ask(register(", ".join(f"<sip:{number}@192.0.2.3>" for number in range(500))))
    assert result.status == 403
    assert desk.bindings.count == 0


def test_what_is_kept_of_a_phone_is_bounded() -> None:
    desk = Desk()
    assert desk.ask(register(HOME, call_id="c" * (CALL_ID_CHARS_MAX + 1))).status == 400
    desk.ask(register(f'{HOME};+sip.instance="{"i" * 500}"', fields=f"User-Agent: {'u' * 500}\r\n"))
    (phone,) = desk.bindings.of("alice", 0.0)
    assert len(phone.user_agent) == USER_AGENT_CHARS_MAX
    assert phone.instance == ""


def test_phones_of_one_model_share_its_name() -> None:
    desk = Desk()
    for user in ("alice", "bob"):
        desk.ask(register(HOME, user=user, fields="User-Agent: Yealink SIP-T27G 69.86.0.15\r\n"), user=user)
    first, second = desk.bindings
    assert first.user_agent == "Yealink SIP-T27G 69.86.0.15"
    assert first.user_agent is second.user_agent


# q


@pytest.mark.parametrize(
    ("text", "q"), [("0.7", 0.7), ("1", 1.0), ("1.000", 1.0), ("0", 0.0), ("0.", 0.0), ("0.125", 0.125)]
)
def test_q_is_kept_and_told(text: str, q: float) -> None:
    desk = Desk()
    result = desk.ask(register(f"{HOME};q={text}"))
    assert [each.q for each in desk.bindings.of("alice", 0.0)] == [q]
    assert listed(result) == [f"<{HOME_URI}>;q={q:g};expires=3600"]


@pytest.mark.parametrize("text", ["1.1", "2", "-1", "0.1234", "nan", "1e-1", "0_1", "high", '"0.5"'])
def test_a_malformed_q_counts_as_none(text: str) -> None:
    desk = Desk()
    assert listed(desk.ask(register(f"{HOME};q={text}"))) == [f"<{HOME_URI}>;expires=3600"]


# NAT


@pytest.mark.parametrize(
    ("contact", "is_behind_nat"),
    [
        ("<sip:alice@203.0.113.7:40001>", False),
        ("<sip:alice@203.0.113.7>", True),
        ("<sip:alice@192.168.1.20:40001>", True),
        ("<sip:alice@phone.example.org:40001>", True),
        ("<mailto:alice@example.org>", False),
    ],
)
def test_a_contact_that_is_not_where_the_phone_sent_from_is_behind_a_nat(
    contact: str, is_behind_nat: bool
) -> None:
    desk = Desk()
    desk.ask(register(contact))
    (phone,) = desk.bindings
    assert phone.is_behind_nat is is_behind_nat
    assert phone.is_watched is is_behind_nat


def test_the_default_port_is_the_schemes() -> None:
    desk = Desk()
    for scheme, phone, port, user in (("sip", PHONE, 5060, "alice"), ("sips", SECURE, 5061, "bob")):
        flow = phone._replace(remote_port=port)
        desk.ask(register(f"<{scheme}:x@{flow.remote_host}>", user=user), user=user, flow=flow)
    assert [phone.is_behind_nat for phone in desk.bindings] == [False, False]


def test_calls_go_to_the_flow_the_register_came_from_whatever_the_contact_says() -> None:
    """A Contact that names the exchange itself, or somebody else's phone, leads nowhere else."""
    desk = Desk()
    desk.ask(register("<sip:118118@198.51.100.1:5060>"), flow=CONNECTION)
    (phone,) = desk.bindings.contacts_for("alice", 0.0)
    assert phone.flow == CONNECTION


# Odd bytes


def test_bytes_that_are_no_text_are_kept_out_of_the_journal() -> None:
    desk = Desk()
    odd = "ca\udcffll@\udcfe"
    desk.ask(register(HOME, call_id=odd, cseq=5, fields="User-Agent: caf\udce9\r\n"))
    data = encode_bindings(desk.bindings, 0)
    (phone,) = decode_bindings("alice", data, 0)
    assert phone.user_agent == "caf\ufffd"
    assert desk.ask(register(HOME, call_id=odd, cseq=5)).status == 400, "still the same Call-ID"


CONTACT_PIECES = st.sampled_from(
    [
        "<sip:a@192.0.2.1>",
        "sip:b@h",
        "*",
        ";expires=0",
        ";expires=90",
        ";expires=3",
        ";q=0.5",
        ",",
        " ",
        "<",
        '"',
        "é",
    ]
)


@given(
    st.lists(
        st.tuples(st.lists(CONTACT_PIECES, max_size=6), st.sampled_from([None, "0", "600", "x"])), max_size=12
    )
)
def test_any_contacts_whatever_are_answered_and_the_limit_holds(
    requests: list[tuple[list[str], str | None]],
) -> None:
    desk = Desk(RegistrarLimits(bindings_per_aor_max=2))
    for cseq, (pieces, expires) in enumerate(requests):
        before = desk.contacts()
        result = desk.ask(register("".join(pieces), cseq=cseq, expires=expires), now=float(cseq))
        assert result.status in (200, 400, 403, 423)
        assert desk.bindings.count <= 2
        if result.status != 200:
            assert desk.contacts() == before
        else:
            assert len(listed(result)) == desk.bindings.count


# The flows of RFC 3665 and real phones


def read(path: Path) -> Request | Response:
    return parse_message(path.read_bytes())


def request_of(path: Path) -> Request:
    message = read(path)
    assert isinstance(message, Request)
    return message


def bobs(*contacts: str) -> Request:
    """What was there before the flow began, from another Call-ID."""
    return register(*contacts, user="bob", call_id="before", to="<sips:bob@biloxi.example.com>")


def uris_and_expiries(values: list[str]) -> list[tuple[str, str | None]]:
    return [(address.uri, address.params.get("expires")) for address in map(parse_name_addr, values)]


SIPS = "<sips:bob@client.biloxi.example.com>"
MAILTO = "<mailto:bob@biloxi.example.com>"


@needs_corpora
@pytest.mark.parametrize(
    ("flow", "request_file", "response_file", "before"),
    [
        pytest.param("2.1", "03_F3_REGISTER", "04_F4_200", [], id="new registration"),
        pytest.param("2.2", "01_F1_REGISTER", "02_F2_200", [SIPS], id="update of contact list"),
        pytest.param("2.3", "01_F1_REGISTER", "02_F2_200", [SIPS, MAILTO], id="request for contact list"),
        pytest.param("2.4", "01_F1_REGISTER", "02_F2_200", [SIPS, MAILTO], id="cancellation"),
    ],
)
def test_registrations_go_as_in_rfc_3665(
    flow: str, request_file: str, response_file: str, before: list[str]
) -> None:
    desk = Desk()
    if before:
        desk.ask(bobs(*before), user="bob", flow=SECURE)
    result = desk.ask(request_of(FLOWS / flow / f"{request_file}.sip"), user="bob", flow=SECURE)
    expected = read(FLOWS / flow / f"{response_file}.sip")
    assert isinstance(expected, Response)
    assert result.status == expected.status
    # The RFC's registrar grants a mailto as long as it likes; ours has one maximum for all.
    cut = [
        (address.uri, "3600" if address.params["expires"] == "4294967295" else address.params["expires"])
        for address in expected.contacts
    ]
    assert uris_and_expiries(listed(result)) == cut


@needs_corpora
@pytest.mark.parametrize(
    "file",
    [
        "yealink_t27g_register",
        "yealink_t27g_register_auth",
        "linksys_rt31p2_register",
        "cisco_spa525g2_register_via_sbc",
    ],
)
def test_real_phones_register(file: str) -> None:
    desk = Desk()
    request = request_of(CORPORA / "messages" / "phones" / f"{file}.sip")
    aor = request.to.parsed_uri
    assert isinstance(aor, SipUri)
    result = desk.ask(request, user=aor.unescaped_user)
    assert [uri for uri, _ in uris_and_expiries(listed(result))] == [request.contacts[0].uri]
    (phone,) = desk.bindings.contacts_for(aor.unescaped_user, 1.0)
    assert phone.user_agent == request.headers.get("user-agent")
