"""SIP, SIPS and tel URIs and name-addrs: parts, what is refused, comparison (RFC 3261 19.1.4), printing."""
# ruff: noqa: RUF001 - digits that only look like ours are what some of these tests are about

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip import uri as uris
from switch.sip.errors import SipParseError
from switch.sip.uri import (
    NameAddr,
    OtherUri,
    SipUri,
    TelUri,
    escape_user,
    format_name_addr,
    format_uri,
    parse_name_addr,
    parse_uri,
    unescape,
    uris_equal,
)
from tests.switch.sip.test_fields import HOST_NAMES, PARAM_SETS, PORTS, TEXTS
from tests.tables import cases


def sip(text: str) -> SipUri:
    uri = parse_uri(text)
    assert isinstance(uri, SipUri)
    return uri


def test_a_sip_uri_has_its_parts() -> None:
    uri = sip("sips:ann:secret@exchange.example:5071;transport=tcp;lr?Subject=a%20b&Priority=urgent")
    assert (uri.scheme, uri.user, uri.password, uri.host, uri.port) == (
        "sips",
        "ann",
        "secret",
        "exchange.example",
        5071,
    )
    assert uri.params == {"transport": "tcp", "lr": None}
    assert uri.headers == "Subject=a%20b&Priority=urgent"


def test_a_bare_host_is_a_sip_uri() -> None:
    uri = sip("SIP:192.0.2.1")
    assert (uri.scheme, uri.user, uri.host, uri.port, uri.unescaped_user) == (
        "sip",
        None,
        "192.0.2.1",
        None,
        "",
    )


USERS = """
# user             -> unescaped
  1001             -> 1001
  +441632960001    -> +441632960001
  *98              -> *98
  *31#1234         -> *31#1234
  %2331%23         -> #31#
  a%2541           -> a%41
  user;par=u%40b   -> user;par=u@b
  a?b/c            -> a?b/c
  %C3%A9           -> é
  %E2%82           -> \udce2\udc82
  %00              -> \0
"""


@pytest.mark.parametrize(("user", "unescaped"), cases(USERS))
def test_a_user_part_is_kept_and_unescaped_once(user: str, unescaped: str) -> None:
    uri = sip(f"sip:{user}@exchange.example")
    assert uri.user == user
    assert uri.unescaped_user == unescaped


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip",
        "sip:",
        "sip:@exchange.example",
        "sip:ann@",
        "sip:ann@exchange.example:",
        "sip:ann@exchange.example:0",
        "sip:ann@exchange.example:65536",
        "sip:ann@exchange.example:5_060",
        "sip:ann@exchange.example:５０６０",
        "sip:ann@exchange.example:99999999999999999999",
        "sip:ann@a@b",
        "sip:ann:a:b@c",
        "sip:a b@c",
        "sip: ann@exchange.example",
        " sip:ann@exchange.example",
        "sip:ann@exchange.example ",
        "sip:ann@exchange.example\n",
        "sip:ann@exchange.example; lr",
        "sip:ann@exchange.example;",
        "sip:ann@exchange.example;;lr",
        "sip:ann@exchange.example;=1",
        "sip:ann@exchange.example;a=",
        "sip:ann@exchange.example;a=b=c",
        "sip:ann@exchange.example;a=1;a=2",
        "sip:ann@exchange.example;a=%4",
        'sip:ann@exchange.example;a="b"',
        "sip:ann@exchange.example?",
        "sip:ann@exchange.example?a=b c",
        "sip:an%4@exchange.example",
        "sip:ann%@exchange.example",
        "sip:é@exchange.example",
        "sip:<ann@exchange.example>",
        '"sip:ann@exchange.example"',
        "sip:ann@[::1",
        "sip:ann@2001:db8::1",
        "sip:ann@256.0.0.1",
        "\u017fip:ann@exchange.example",
        "sip\uff1aann@exchange.example",
        "1sip:ann@exchange.example",
        "tel:",
        "tel:+",
        "tel:-",
        "tel:+44 1632",
        "tel:call-me",
        "tel:+４４",
        "urn:",
        "urn:a b",
        "http://a/<b>",
    ],
)
def test_a_malformed_uri_is_refused(text: str) -> None:
    with pytest.raises(SipParseError):
        parse_uri(text)


def test_a_tel_uri_has_digits_and_parameters() -> None:
    uri = parse_uri("TEL:+44-1632-(960)001;Phone-Context=+44;ext=12")
    assert isinstance(uri, TelUri)
    assert uri.digits == "+441632960001"
    assert uri.params == {"phone-context": "+44", "ext": "12"}
    assert format_uri(uri) == "tel:+44-1632-(960)001;phone-context=+44;ext=12"
    assert parse_uri("tel:999") == TelUri("999", {})


def test_any_other_scheme_is_left_unopened() -> None:
    assert parse_uri("urn:service:sos.police") == OtherUri("urn", "service:sos.police")
    assert parse_uri("HTTP://www.example.com/a?b#c") == OtherUri("http", "//www.example.com/a?b#c")
    assert format_uri(OtherUri("urn", "service:sos")) == "urn:service:sos"


# The examples of RFC 3261 19.1.4, then our own.
COMPARISONS = """
# one                                          other                                            -> equal
  sip:%61lice@atlanta.com;transport=TCP        sip:alice@AtlanTa.CoM;Transport=tcp              -> yes
  sip:carol@chicago.com                        sip:carol@chicago.com;newparam=5                 -> yes
  sip:carol@chicago.com                        sip:carol@chicago.com;security=on                -> yes
  sip:carol@chicago.com;newparam=5             sip:carol@chicago.com;security=on                -> yes
  sip:b.com;transport=tcp;method=R?to=s%40b    sip:b.com;method=R;transport=tcp?to=s%40b        -> yes
  sip:alice@atlanta.com?subject=p&priority=u   sip:alice@atlanta.com?priority=u&subject=p       -> yes
  SIP:ALICE@AtLanTa.CoM;Transport=udp          sip:alice@AtLanTa.CoM;Transport=UDP              -> no
  sip:bob@biloxi.com                           sip:bob@biloxi.com:5060                          -> no
  sip:bob@biloxi.com                           sip:bob@biloxi.com;transport=udp                 -> no
  sip:bob@biloxi.com                           sip:bob@biloxi.com:6000;transport=tcp            -> no
  sip:carol@chicago.com                        sip:carol@chicago.com?Subject=next%20meeting     -> no
  sip:bob@phone21.boxesbybob.com               sip:bob@192.0.2.4                                -> no
  sip:carol@chicago.com;security=on            sip:carol@chicago.com;security=off               -> no
  sip:a@b                                      sips:a@b                                         -> no
  sip:a@b                                      sip:a:@b                                         -> no
  sip:a@b;lr                                   sip:a@b                                          -> yes
  sip:a@b;maddr=c                              sip:a@b                                          -> no
  sip:a@b;user=phone                           sip:a@b                                          -> no
  sip:a@b;ttl=1                                sip:a@b                                          -> no
  sip:a%2Cb@c                                  sip:a,b@c                                        -> no
  sip:a%2cb@c                                  sip:a%2Cb@c                                      -> yes
  sip:%00@c                                    sip:%00%00@c                                     -> no
  sip:a@[2001:db8::1]                          sip:a@[2001:DB8:0::0001]                         -> yes
  sip:a@b.example.                             sip:a@B.example                                  -> yes
  tel:+44-1632-960001                          tel:+441632960001                                -> yes
  tel:+441632960001                            tel:+441632960001;ext=1                          -> no
  tel:+441632960001                            sip:+441632960001@b;user=phone                   -> no
  urn:service:sos                              URN:service:sos                                  -> yes
  urn:service:sos                              urn:service:SOS                                  -> no
"""


@pytest.mark.parametrize(("one", "other", "equal"), cases(COMPARISONS))
def test_uris_are_compared_as_19_1_4_says(one: str, other: str, equal: str) -> None:
    assert uris_equal(parse_uri(one), parse_uri(other)) == (equal == "yes")
    assert uris_equal(parse_uri(other), parse_uri(one)) == (equal == "yes")
    assert uris_equal(parse_uri(one), parse_uri(one))


NAME_ADDRS = """
# text                             -> display   uri               params
  sip:a@b                          -> -         sip:a@b           -
  sip:a@b;tag=1                    -> -         sip:a@b           ;tag=1
  sip:a@b;user=phone;tag=1         -> -         sip:a@b           ;user=phone;tag=1
  <sip:a@b;user=phone>;tag=1       -> -         sip:a@b;user=phone ;tag=1
  <sip:a@b>                        -> -         sip:a@b           -
  <sip:a@b?x=y,z>                  -> -         sip:a@b?x=y,z     -
  Ann<sip:a@b>                     -> Ann       sip:a@b           -
  Ann_<sip:a@b>                    -> Ann       sip:a@b           -
  A._B'_<sip:a@b>                  -> A._B'     sip:a@b           -
  Ann_(work)_<sip:a@b>             -> Ann_(work) sip:a@b          -
  é_я_<sip:a@b>                    -> é_я       sip:a@b           -
  "Ann"<sip:a@b>                   -> Ann       sip:a@b           -
  "Ann"__<sip:a@b>_;_tag_=_1       -> Ann       sip:a@b           ;tag=1
  "a;b,<c>"_<sip:a@b>              -> a;b,<c>   sip:a@b           -
  "a\\"b\\\\"_<sip:a@b>            -> a"b\\     sip:a@b           -
  ""_<sip:a@b>                     -> -         sip:a@b           -
  <tel:+44>;x="1;2"                -> -         tel:+44           ;x="1;2"
"""


@pytest.mark.parametrize(("text", "display", "uri", "params"), cases(NAME_ADDRS))
def test_a_name_addr_has_its_parts(text: str, display: str, uri: str, params: str) -> None:
    address = parse_name_addr(text.replace("_", " "))
    assert address.display == display.replace("_", " ")
    assert address.uri == uri
    assert "".join(f";{name}={value}" for name, value in address.params.items()) == params
    assert parse_name_addr(format_name_addr(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<>",
        "Ann",
        "<sip:a@b",
        "sip:a@b>",
        "sip:a@b?x=y",
        "sip:a,b@c",
        "Bell, Alex <sip:a@b>",
        'Ann "B" <sip:a@b>',
        '"Ann <sip:a@b>',
        '"Ann\\" <sip:a@b>',
        '"Ann" sip:a@b',
        '"Ann" x <sip:a@b>',
        "<sip:a@b> tag=1",
        "<sip:a@b>;",
        "<sip:a@b>;tag=1;tag=2",
        "<sip:a@b>,<sip:c@d>",
        "A;b <sip:a@b>",
        "A\0b <sip:a@b>",
        "< sip:a@b>",
        "<sip:a@b >",
        "<<sip:a@b>",
        ">",
        "sip:a@b>;tag=1",
    ],
)
def test_a_malformed_name_addr_is_refused_when_it_is_read(text: str) -> None:
    with pytest.raises(SipParseError):
        _ = parse_name_addr(text).parsed_uri


def test_a_tag_is_a_parameter_of_the_header_not_of_the_uri() -> None:
    assert parse_name_addr("<sip:a@b;tag=1>").tag is None
    assert parse_name_addr("<sip:a@b;tag=1>;tag=2").tag == "2"
    assert parse_name_addr("sip:a@b;tag=3").tag == "3"


def test_name_addrs_are_compared_by_what_they_say() -> None:
    one, other = NameAddr("Ann", "sip:a@b", {"tag": "1"}), parse_name_addr('"Ann" <sip:a@b>;tag=1')
    assert one.parsed_uri == sip("sip:a@b")
    assert one == other
    assert one != NameAddr("Ann", "sip:a@b")
    assert str(other) == "Ann <sip:a@b>;tag=1"


@given(TEXTS)
def test_any_text_can_be_a_user_part(text: str) -> None:
    escaped = escape_user(text)
    assert unescape(escaped) == text
    if text:
        assert sip(f"sip:{escaped}@exchange.example").unescaped_user == text


@given(TEXTS.map(lambda text: text.strip(" \t")), PARAM_SETS)
def test_a_name_addr_printed_and_read_is_the_same(display: str, params: dict[str, str | None]) -> None:
    address = NameAddr(display, "sip:a@b;c=d", params)
    assert parse_name_addr(format_name_addr(address)) == address


PLAIN = st.text("abc019-_.!~*'()", min_size=1, max_size=6)
SIP_URIS = st.builds(
    SipUri,
    st.sampled_from(["sip", "sips"]),
    st.none() | PLAIN,
    st.none(),
    HOST_NAMES,
    PORTS,
    st.dictionaries(PLAIN, st.none() | PLAIN, max_size=3),
    st.sampled_from(["", "a=b", "Route=%3Csip:a%3E&x="]),
)


@given(SIP_URIS)
def test_a_uri_printed_and_read_is_the_same(uri: SipUri) -> None:
    assert parse_uri(format_uri(uri)) == uri
    assert uris_equal(parse_uri(format_uri(uri)), uri)


@given(SIP_URIS, SIP_URIS)
def test_uri_comparison_is_symmetric(one: SipUri, other: SipUri) -> None:
    assert uris_equal(one, other) == uris_equal(other, one)


def test_what_is_remembered_of_texts_is_bounded() -> None:
    for number in range(3 * uris.REMEMBERED_TEXTS):
        assert str(parse_uri(f"sip:{number}@example.com")) == f"sip:{number}@example.com"
        assert parse_name_addr(f"<sip:{number}@example.com>;tag=a").tag == "a"
        assert len(uris._uris) <= uris.REMEMBERED_TEXTS
        assert len(uris._name_addrs) <= uris.REMEMBERED_TEXTS
    long = f"sip:{'a' * uris.REMEMBERED_CHARS_MAX}@example.com"
    assert parse_uri(long) == parse_uri(long)
    assert long not in uris._uris
