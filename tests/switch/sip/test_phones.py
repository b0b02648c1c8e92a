"""Messages of real phones, and the good, the bad and the ugly of sofia-sip's own tests.

A phone's quirk is read as its maker meant it.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from switch.sip.errors import SipParseError
from switch.sip.framing import StreamBroken, StreamFramer
from switch.sip.message import Request
from switch.sip.parser import parse_message
from switch.sip.uri import SipUri, parse_name_addr
from switch.sip.validate import door_refusal, response_problem
from tests.switch.sip.samples import (
    CORPORA,
    assert_prints_back_equal,
    corpus,
    request,
    response,
    with_true_length,
)

PHONES = CORPORA / "messages" / "phones"
SOFIA = CORPORA / "messages" / "sofia-sip_tests"

# Shortened by whoever published them: what follows the head is less than Content-Length says.
CUT_SHORT = {
    "npm_sip-message-examples_invite.sip",
    "npm_sip-message-examples_invite-compact.sip",
    "npm_sip-message-examples_siprec.sip",
    "npm_sip-message-examples_siprec3.sip",
    "polycom_vvx450_invite_nosdp_shown.sip",
    "snom821_publish_vq-rtcpxr.sip",
}


def phone(name: str) -> bytes:
    path = PHONES / name
    if not path.exists():
        pytest.skip(f"the corpus is not at {PHONES}")
    return with_true_length(path.read_bytes())


@pytest.mark.parametrize("file", corpus("messages/phones", "*.sip"))
def test_a_phones_message_enters_and_prints_back_equal(file: Path) -> None:
    data = with_true_length(file.read_bytes())
    message = parse_message(data)
    if isinstance(message, Request):
        assert door_refusal(message) is None
    else:
        assert response_problem(message) is None
    assert_prints_back_equal(data)


@pytest.mark.parametrize("file", corpus("messages/phones", "*.sip"))
def test_a_phones_message_is_refused_only_where_its_body_is_missing(file: Path) -> None:
    if file.name in CUT_SHORT:
        with pytest.raises(SipParseError, match="Content-Length Exceeds Message"):
            parse_message(file.read_bytes())
    else:
        parse_message(file.read_bytes())


def test_every_phone_of_the_index_is_read() -> None:
    if not PHONES.exists():
        pytest.skip(f"the corpus is not at {PHONES}")
    named = {entry["file"] for entry in json.loads((PHONES / "index.json").read_text())}
    assert named == {file.name for file in PHONES.glob("*.sip")}


def test_linphones_to_without_angle_brackets() -> None:
    message = request(phone("linphone_android42_invite.sip"))
    assert message.to.uri == "sip:bob@192.168.25.116"
    assert message.contact is not None
    assert message.contact.params["+sip.instance"] == '"<urn:uuid:c23fe19c-6a47-004e-be0c-d1ec5af55c75>"'


def test_snoms_cyrillic_name() -> None:
    message = request(phone("snom360_invite_cyrillic.sip"))
    assert message.from_.display == "теле Cном_3606"  # noqa: RUF001 - as the phone has it
    assert message.contact is not None
    assert message.contact.params == {"reg-id": "1"}


def test_yealinks_password_and_header_in_the_from_uri() -> None:
    message = request(phone("yealink_t22p_invite.sip"))
    uri = message.from_.parsed_uri
    assert isinstance(uri, SipUri)
    assert (uri.user, uri.password, uri.headers) == ("v501", "password", "header=value")
    assert message.to.params == {"param2": "value2"}


def test_a_fritz_box_via_without_branch() -> None:
    message = response(phone("fritzbox_401_nobranch.sip"))
    assert message.top_via.branch is None
    assert message.top_via.rport == "50600"
    assert message.from_.display == "tklingel"


def test_a_server_that_lost_the_from_tag() -> None:
    message = response(phone("itoolabs_401.sip"))
    assert message.from_tag is None
    assert message.headers.get_all("www-authenticate")[0].startswith("Digest realm=")


def test_a_star_in_a_user_part() -> None:
    uri = request(phone("linksys_spa942_notify_x-spa-cti.sip")).from_.parsed_uri
    assert isinstance(uri, SipUri)
    assert uri.user == "0616*004"


def test_a_broken_asserted_identity_is_found_out_only_when_read() -> None:
    message = request(phone("npm_sip-message-examples_invite.sip"))
    asserted = message.headers.values("p-asserted-identity")
    assert len(asserted) == 1
    with pytest.raises(SipParseError):
        parse_name_addr(asserted[0])


def test_a_phone_that_writes_every_field_in_compact_form() -> None:
    message = request(phone("npm_sip-message-examples_invite-compact.sip"))
    assert message.call_id == "619455480112200022407@10.1.10.101"
    assert message.headers.values("supported")[:2] == ["em", "timer"]
    assert [name for name, _ in message.headers.items()][:2] == ["v", "v"]


def sofia_cases(kind: str) -> list[Any]:
    if not (SOFIA / "EXPECTED.json").exists():
        skip = pytest.mark.skip(reason=f"the corpus is not at {SOFIA}")
        return [pytest.param("", id="sofia-sip-absent", marks=skip)]
    return [pytest.param(name, id=name) for name in json.loads((SOFIA / "EXPECTED.json").read_text())[kind]]


def with_crlf(name: str) -> bytes:
    """Some of the files are kept with bare line feeds, which sofia-sip reads and a SIP peer never sends."""
    return (SOFIA / name).read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


# Written in the grammar of RFC 2543: the first header field folded on to the request line, comments in a Contact.
OBSOLETE = {"test1.txt"}
# Read, then refused at the door, as RFC 3261 says: 483, 400 (header components in the Request-URI), 505.
REFUSED_AT_THE_DOOR = {"test31.txt": 483, "test25.txt": 400, "test41.txt": 505, "test42.txt": 505}
# Good as datagrams, where what follows Content-Length is dropped; bad as streams.
BAD_AS_STREAMS = {"test10.txt", "test18.txt"}


@pytest.mark.parametrize("name", [*sofia_cases("good"), *sofia_cases("ugly")])
def test_what_sofia_sip_must_read_is_read(name: str) -> None:
    data = with_crlf(name)
    if name in OBSOLETE:
        with pytest.raises(SipParseError):
            parse_message(data)
        return
    message = parse_message(data)
    if isinstance(message, Request):
        refusal = door_refusal(message)
        assert (refusal.status if refusal else None) == REFUSED_AT_THE_DOOR.get(name)
    else:
        assert response_problem(message) is None
    assert_prints_back_equal(data)


@pytest.mark.parametrize("name", sofia_cases("bad"))
def test_what_sofia_sip_must_refuse_is_refused(name: str) -> None:
    data = with_crlf(name)
    if name in BAD_AS_STREAMS:
        with pytest.raises(StreamBroken):
            StreamFramer().feed(data + b"\r\n")
        return
    try:
        message = request(data)
    except SipParseError as error:
        assert error.status == 400
        return
    refusal = door_refusal(message)
    assert refusal is not None
    assert refusal.status in {400, 416}


# In the folder, but in none of its lists: 0 enters, else the status of our refusal. Three end without a blank line.
UNCLASSED = {
    "10052.txt": 400,  # a body shorter than its Content-Length
    "own0.txt": 0,
    "own8.txt": 400,  # half a head
    "test-ack-1.txt": 400,  # an ACK whose CSeq says INVITE
    "test10b.txt": 0,
    "test10c.txt": 0,
    "test14-req.txt": 0,
    "test1a.txt": 400,  # as test1
}


@pytest.mark.parametrize("name", UNCLASSED)
def test_what_sofia_sip_has_not_classed_gets_its_verdict_too(name: str) -> None:
    if not SOFIA.exists():
        pytest.skip(f"the corpus is not at {SOFIA}")
    try:
        refusal = door_refusal(request(with_crlf(name)))
        status = refusal.status if refusal else 0
    except SipParseError as error:
        status = error.status
    assert status == UNCLASSED[name]


def test_every_message_of_sofia_sip_has_its_verdict() -> None:
    if not SOFIA.exists():
        pytest.skip(f"the corpus is not at {SOFIA}")
    classed = json.loads((SOFIA / "EXPECTED.json").read_text())
    names = {name for kind in ("good", "bad", "ugly") for name in classed[kind]}
    assert names | set(UNCLASSED) == {file.name for file in SOFIA.glob("*.txt")}


@pytest.mark.parametrize("file", corpus("messages/sofia-sip_tests", "*.txt"))
def test_bare_line_feeds_are_refused(file: Path) -> None:
    data = file.read_bytes()
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    with pytest.raises(SipParseError):
        parse_message(data)
