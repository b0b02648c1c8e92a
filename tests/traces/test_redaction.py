"""What may be kept of a message: everything but what would let its reader be somebody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traces.redaction import redacted

HEAD = b"INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1\r\n"
SECRET = b"0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "name", [b"Authorization", b"Proxy-Authorization", b"PROXY-AUTHORIZATION", b"authorization "]
)
@pytest.mark.parametrize(
    "parameter", [b"response", b"cnonce", b"nonce", b"RESPONSE", b"response ", b"new-one"]
)
@pytest.mark.parametrize("quote", [b'"', b""])
@pytest.mark.parametrize("fold", [b", ", b",\r\n\t", b",\r\n "])
def test_the_answer_to_a_challenge_is_covered_however_it_is_written(
    name: bytes, parameter: bytes, quote: bytes, fold: bytes
) -> None:
    value = (
        b'Digest username="alice"' + fold + parameter + b"=" + quote + SECRET + quote + fold + b"nc=00000001"
    )
    data = HEAD + name + b": " + value + b"\r\nContent-Length: 0\r\n\r\n"
    kept = redacted(data)
    assert SECRET not in kept
    assert b'username="alice"' in kept
    assert b"nc=00000001" in kept
    assert len(kept) == len(data)
    assert redacted(kept) == kept


@pytest.mark.parametrize(
    "value",
    [
        b"Basic " + SECRET,
        b"Bearer " + SECRET,
        b'Digest response="' + SECRET,  # without its end
        b'Digest username="a, response=' + SECRET + b'"',
        b'Digest username="a\\", response=\\"' + SECRET + b'"',
        b'digest\tresponse="' + SECRET + b'"',
        SECRET,
    ],
)
def test_credentials_of_any_kind_are_covered(value: bytes) -> None:
    assert SECRET not in redacted(HEAD + b"Authorization: " + value + b"\r\nContent-Length: 0\r\n\r\n")


def test_authentication_info_is_covered_too() -> None:
    data = b'SIP/2.0 200 OK\r\nAuthentication-Info: nextnonce="' + SECRET + b'", qop=auth\r\n\r\n'
    assert SECRET not in redacted(data)


def test_a_challenge_is_kept_as_it_is() -> None:
    data = b'SIP/2.0 407 No\r\nProxy-Authenticate: Digest realm="r", nonce="' + SECRET + b'"\r\n\r\n'
    assert redacted(data) == data


@pytest.mark.parametrize(
    "line",
    [
        b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + SECRET + b"|2^20|1:4",
        b"a=crypto:1 X inline:AAAA;inline:" + SECRET,
        b"a=ice-pwd:" + SECRET,
        b"k=clear:" + SECRET,
        b"A=ICE-PWD:" + SECRET,
    ],
)
def test_keys_in_a_session_description_are_covered_and_its_length_stays(line: bytes) -> None:
    body = b"v=0\r\na=ice-ufrag:abcd\r\n" + line + b"\r\na=sendrecv\r\n"
    data = HEAD + b"Content-Type: application/sdp\r\n\r\n" + body
    kept = redacted(data)
    assert SECRET not in kept
    assert b"a=ice-ufrag:abcd\r\n" in kept
    assert b"\r\na=sendrecv\r\n" in kept
    assert len(kept) == len(data)


@pytest.mark.parametrize(
    ("start", "fields"),
    [
        (b"MESSAGE sip:b@example.com SIP/2.0", b"CSeq: 1 MESSAGE"),
        (b"INFO sip:b@example.com SIP/2.0", b"CSeq: 1 INFO"),
        (b"\r\n\r\nINFO sip:b@example.com SIP/2.0", b"CSeq: 1 INFO"),
        (b"SIP/2.0 200 OK", b"CSeq: 7 INFO"),
        (b"SIP/2.0 415 No", b"cseq:7  MESSAGE"),
        (b"NOTIFY sip:b@example.com SIP/2.0", b"Content-Type: application/kpml-response+xml"),
        (b"NOTIFY sip:b@example.com SIP/2.0", b"c: application/dtmf-relay"),
    ],
)
def test_texts_and_digits_are_cut_off(start: bytes, fields: bytes) -> None:
    data = start + b"\r\n" + fields + b"\r\nContent-Length: 32\r\n\r\n" + SECRET
    kept = redacted(data)
    assert SECRET not in kept
    assert kept.startswith(start)
    assert b"Content-Length: 32" in kept


@pytest.mark.parametrize(
    "target",
    [b"sip:pressed.4711@vm", b"SIP:Pressed.4711@vm", b"sip:%70ressed.4711@vm", b"sip:pressed%2e4711"],
)
def test_keys_in_a_refer_are_taken_out(target: bytes) -> None:
    kept = redacted(b"REFER sip:a@example.com SIP/2.0\r\nRefer-To: <" + target + b">\r\n\r\n")
    assert b"4711" not in kept


def test_a_refer_to_a_number_is_kept_as_it_is() -> None:
    data = b"REFER sip:a@example.com SIP/2.0\r\nRefer-To: <sip:+442079460123@example.com>\r\n\r\n"
    assert redacted(data) == data


@given(
    st.binary(max_size=400),
    st.sampled_from([b"", HEAD, HEAD + b"Authorization: Digest ", b"SIP/2.0 200 OK\r\n", b"INFO "]),
)
def test_no_octets_break_it_and_twice_is_once(octets: bytes, before: bytes) -> None:
    once = redacted(before + octets)
    assert redacted(once) == once
