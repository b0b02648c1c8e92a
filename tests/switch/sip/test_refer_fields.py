"""Refer-To, Referred-By, Refer-Sub and Replaces: RFC 3515, 3892, 4488, 3891."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip.errors import SipParseError
from switch.sip.headers import Headers
from switch.sip.refer_fields import (
    URI_HEADERS_MAX,
    Replaces,
    parse_replaces,
    refer_of,
    replaces_of,
    uri_headers,
)

TAGS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.", min_size=1, max_size=20)
CALL_IDS = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789-.!%*_+`'~()<>:\\/[]?{}@", min_size=1, max_size=30)


@given(CALL_IDS, TAGS, TAGS, st.booleans())
def test_a_replaces_prints_as_it_is_read(call_id: str, to_tag: str, from_tag: str, early: bool) -> None:
    replaces = Replaces(call_id, to_tag=to_tag, from_tag=from_tag, is_early_only=early)
    assert parse_replaces(str(replaces)) == replaces


@given(st.text(max_size=60))
def test_any_text_is_read_as_a_replaces_or_refused(text: str) -> None:
    try:
        found = parse_replaces(text)
    except SipParseError:
        return
    assert parse_replaces(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "98732",
        "98732;to-tag=1",
        "98732;from-tag=1",
        ";to-tag=1;from-tag=2",
        "9 8;to-tag=1;from-tag=2",
        "98732;to-tag=1;to-tag=2;from-tag=3",
        "98732;to-tag;from-tag=1",
        '98732;to-tag="1";from-tag=1',
    ],
)
def test_a_malformed_replaces_is_refused(text: str) -> None:
    with pytest.raises(SipParseError) as refused:
        parse_replaces(text)
    assert refused.value.status == 400


def test_two_replaces_are_400() -> None:
    """RFC 3891 3."""
    one = "98732@example.com;from-tag=r33th4x0r;to-tag=ff87ff"
    assert replaces_of(Headers()) is None
    assert replaces_of(Headers([("Replaces", one)])) == parse_replaces(one)
    for fields in ([("Replaces", one), ("Replaces", one)], [("Replaces", f"{one}, {one}")]):
        with pytest.raises(SipParseError) as refused:
            replaces_of(Headers(fields))
        assert refused.value.status == 400


def test_a_refer_has_its_parts() -> None:
    headers = Headers(
        [
            (
                "Refer-To",
                "Bob <sip:bob@example.com?Replaces=12345%40192.0.2.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE&Subject=x>",
            ),
            ("b", "<sip:alice@example.com>;cid=20398823.2UWQFN309shb3"),
        ]
    )
    refer = refer_of(headers, 93809824)
    assert refer.target.uri.startswith("sip:bob@example.com")
    assert (refer.method, refer.cseq, refer.wants_notifies) == ("INVITE", 93809824, True)
    assert refer.replaces == Replaces("12345@192.0.2.3", to_tag="12345", from_tag="5FFE")
    assert [name for name, _ in refer.headers] == ["replaces", "subject"]
    assert refer.referred_by is not None and refer.referred_by.uri == "sip:alice@example.com"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([], 400),
        ([("Refer-To", "<sip:a@example.com>"), ("r", "<sip:b@example.com>")], 400),
        ([("Refer-To", "<sip:a@example.com>, <sip:b@example.com>")], 400),
        ([("Refer-To", "sip:a@example.com?Replaces=x")], 400),
        ([("Refer-To", "<sip:a@example.com?Replaces=x>")], 400),
        ([("Refer-To", "<sip:a@example.com?X=1%0D%0AEvil%3A+1>")], 400),
        ([("Refer-To", "<sip:a@example.com?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&Replaces=b>")], 400),
        ([("Refer-To", "<http://www.example.com>")], 416),
        ([("Refer-To", "<sip:a@example.com>"), ("Referred-By", "<sip:x@a>, <sip:y@a>")], 400),
    ],
)
def test_a_refer_that_cannot_be_carried_out_is_refused(fields: list[tuple[str, str]], status: int) -> None:
    with pytest.raises(SipParseError) as refused:
        refer_of(Headers(fields), 1)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("fields", "wants"),
    [
        ([], True),
        ([("Refer-Sub", "false")], True),  # RFC 4488 4: only from one that lists the extension
        ([("Refer-Sub", "false"), ("Supported", "replaces, norefersub")], False),
        ([("Refer-Sub", "FALSE;x=y"), ("k", "norefersub")], False),
        ([("Refer-Sub", "true"), ("Supported", "norefersub")], True),
    ],
)
def test_refer_sub(fields: list[tuple[str, str]], wants: bool) -> None:
    headers = Headers([("Refer-To", "<sip:a@example.com;method=INVITE>"), *fields])
    assert refer_of(headers, 1).wants_notifies is wants


def test_the_method_to_send_is_in_the_uri() -> None:
    headers = Headers([("Refer-To", "<sip:a@example.com;method=MESSAGE>")])
    assert refer_of(headers, 1).method == "MESSAGE"


def test_uri_headers_are_few_and_have_no_line_ends() -> None:
    assert uri_headers("") == []
    assert uri_headers("A=1&b=%25") == [("a", "1"), ("b", "%")]
    for text in ("a", "a%20b=1", "a=%0a", "a=%00", "&".join(["a=1"] * (URI_HEADERS_MAX + 1))):
        with pytest.raises(SipParseError):
            uri_headers(text)
