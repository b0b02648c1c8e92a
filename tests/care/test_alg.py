"""Which registrations show a router that rewrites SIP, and which only look like it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from care.alg import OTHER_PRIVATE, PORT_KEPT, VIA_ONLY, alg_signs, alg_words, is_private, maybe_rewritten
from rating.records import RegistrationEvent
from switch.registrar.history import evidence_of
from switch.sip.message import Request
from switch.sip.parser import parse_message

PHONES = Path(__file__).parents[2] / ".." / "shared" / "corpora" / "messages" / "phones"
PUBLIC = "203.0.113.9"


def event(
    contact: str, via: str, source: str, *, transport: str = "UDP", call_id: str = "", params: str = ";rport"
) -> RegistrationEvent:
    via = f"SIP/2.0/{transport} {via}{params};branch=z9hG4bK1" if via else ""
    if call_id:
        via += f" call-id@{call_id}"
    return RegistrationEvent(
        "1",
        0,
        "registered",
        "alice",
        1,
        "",
        source,
        transport,
        contact and f"sip:alice@{contact}",
        via,
        "Phone",
    )


TABLE = """
# contact              via                    source               call_id       -> signs  maybe
# plain NAT
192.168.1.5:5060       192.168.1.5:5060       203.0.113.9:40000    192.168.1.5   -> -      no
192.168.1.5:5060       192.168.1.5:5060       203.0.113.9:5060     -             -> -      no
# learnt by rport, or by STUN without the Via
203.0.113.9:40000      192.168.1.5:5060       203.0.113.9:40000    192.168.1.5   -> -      no
203.0.113.9:5060       192.168.1.5:5060       203.0.113.9:5060     -             -> -      no
# STUN, or a router that rewrites all but the Call-ID
203.0.113.9:40000      203.0.113.9:40000      203.0.113.9:40000    192.168.1.5   -> -      yes
203.0.113.9:40000      203.0.113.9:40000      203.0.113.9:40000    -             -> -      no
# STUN behind a symmetric NAT
203.0.113.9:31000      203.0.113.9:31000      203.0.113.9:40000    192.168.1.5   -> -      yes
203.0.113.9:31000      192.168.1.5:5060       203.0.113.9:40000    192.168.1.5   -> -      no
# no NAT at all
203.0.113.9:5060       203.0.113.9:5060       203.0.113.9:5060     203.0.113.9   -> -      no
# inside one network
192.168.1.5:5060       192.168.1.5:5060       192.168.1.5:5060     192.168.1.5   -> -      no
192.168.1.5:5060       10.0.0.1:5060          10.0.0.1:5060        192.168.1.5   -> -      no
# rewritten
192.168.1.5:5060       203.0.113.9:40000      203.0.113.9:40000    192.168.1.5   -> via    no
192.168.1.5:5060       203.0.113.9:5060       203.0.113.9:40000    -             -> via    no
100.64.3.2:5060        192.168.1.5:5060       203.0.113.9:40000    192.168.1.5   -> other  no
192.168.1.5:5060       10.0.0.2:5060          203.0.113.9:40000    192.168.1.5   -> other  no
203.0.113.9:5060       192.168.1.5:5060       203.0.113.9:40000    192.168.1.5   -> port   no
203.0.113.9            192.168.1.5            203.0.113.9:40000    -             -> port   no
# names and nonsense are not judged
phone.example.com:5060 192.168.1.5:5060       203.0.113.9:40000    192.168.1.5   -> -      no
192.168.1.5:5060       phone.local:5060       203.0.113.9:40000    192.168.1.5   -> -      no
192.168.1.5:5060       -                      203.0.113.9:40000    192.168.1.5   -> -      no
-                      203.0.113.9:5060       203.0.113.9:40000    192.168.1.5   -> -      no
192.168.1.5:5060       203.0.113.9:5060       -                    192.168.1.5   -> -      no
# IPv6
[fd00::5]:5060         [2001:db8::9]:5060     [2001:db8::9]:5060   -             -> via    no
[2001:db8::9]:5060     [2001:db8::9]:5060     [2001:db8::9]:5060   -             -> -      no
"""
NAMES = {"via": VIA_ONLY, "other": OTHER_PRIVATE, "port": PORT_KEPT}


@pytest.mark.parametrize(
    ("given_texts", "expected"),
    [(row.split("->")[0], row.split("->")[1]) for row in TABLE.split("\n") if "->" in row and row[0] != "#"],
)
def test_what_shows_a_router_that_rewrites(given_texts: str, expected: str) -> None:
    contact, via, source, call_id = ("" if text == "-" else text for text in given_texts.split())
    signs, maybe = expected.split()
    seen = event(contact, via, source, call_id=call_id)
    assert alg_signs(seen) == ([] if signs == "-" else [NAMES[signs]])
    assert maybe_rewritten(seen) is (maybe == "yes")
    words = alg_words(alg_signs(seen))
    assert bool(words) is (signs != "-")


REWRITTEN = "192.168.1.5:5060", "203.0.113.9:40000", "203.0.113.9:40000"


def test_nothing_is_said_of_what_a_router_cannot_read() -> None:
    assert alg_signs(event(*REWRITTEN)) == [VIA_ONLY]
    for transport in ("TLS", "WSS"):
        assert alg_signs(event(*REWRITTEN, transport=transport)) == []


def test_nothing_is_said_of_what_a_proxy_has_written() -> None:
    seen = event(*REWRITTEN)
    seen.via += ", SIP/2.0/UDP 192.168.1.5:5060;branch=z9hG4bK2"
    assert alg_signs(seen) == []


def test_a_phone_that_does_not_ask_for_rport_may_know_its_address_without_the_port() -> None:
    assert alg_signs(event("203.0.113.9:5060", "192.168.1.5:5060", "203.0.113.9:40000", params="")) == []


def test_pjsip_can_be_told_to_rewrite_the_via_and_not_the_contact() -> None:
    seen = event(*REWRITTEN)
    seen.via = seen.via.replace("z9hG4bK1", "z9hG4bKPj1")
    assert alg_signs(seen) == []


@pytest.mark.parametrize(
    ("name", "source", "signs", "maybe"),
    [
        # a Yealink with STUN, or behind Linux's helper: it cannot be told
        ("yealink_t27g_register", "139.162.206.177:5060", [], True),
        ("yealink_t27g_register_auth", "139.162.206.177:5060", [], True),
        ("linksys_rt31p2_register", "203.0.113.9:5061", [], False),
        ("cisco_spa525g2_register_via_sbc", "203.0.113.9:5060", [], False),
        ("microsip_3215_invite", "203.0.113.9:65119", [], False),
        ("linphone_android42_invite", "203.0.113.9:59579", [], False),
        ("yealink_t22p_invite", "203.0.113.9:1024", [], False),
        ("snom360_invite_cyrillic", "203.0.113.9:1024", [], False),
    ],
)
def test_real_phones_raise_no_false_alarm(name: str, source: str, signs: list[str], maybe: bool) -> None:
    file = PHONES / f"{name}.sip"
    if not file.exists():
        pytest.skip(f"{name} is not there: ../shared/corpora/messages lies beside the repository, or not")
    request = parse_message(file.read_bytes())
    assert isinstance(request, Request)
    contact, via, agent = evidence_of(request)
    seen = RegistrationEvent("1", 0, "registered", "alice", 1, "", source, "UDP", contact, via, agent)
    assert alg_signs(seen) == signs
    assert maybe_rewritten(seen) is maybe


TEXT = st.text(max_size=60) | st.sampled_from(
    ["sip:a@192.168.1.5", "SIP/2.0/UDP 192.168.1.5", "203.0.113.9:5060", "[::1", "sip:@", "\0", "call-id@"]
)


@given(TEXT, TEXT, TEXT, st.sampled_from(["UDP", "TCP", "TLS", ""]))
def test_hostile_text_never_raises(contact: str, via: str, source: str, transport: str) -> None:
    seen = RegistrationEvent("1", 0, "registered", "alice", 1, "", source, transport, contact, via, "")
    assert isinstance(alg_signs(seen), list)
    assert maybe_rewritten(seen) in (True, False)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("10.1.2.3", True),
        ("172.32.0.1", False),
        ("100.127.255.255", True),
        ("203.0.113.9", False),
        ("x", False),
    ],
)
def test_private_addresses(host: str, expected: bool) -> None:
    assert is_private(host) is expected
