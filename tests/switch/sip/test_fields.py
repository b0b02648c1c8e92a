"""Via, CSeq, Max-Forwards, delta-seconds: read as RFC 3261 25.1 writes them, and printed back."""
# ruff: noqa: RUF001 - digits that only look like ours are what some of these tests are about

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip.errors import SipParseError
from switch.sip.fields import (
    CSeq,
    Via,
    format_via,
    parse_content_length,
    parse_cseq,
    parse_delta_seconds,
    parse_max_forwards,
    parse_via,
)
from switch.sip.grammar import format_params, is_host, parse_params, quote, unquote
from tests.tables import cases


def test_a_via_has_its_parts() -> None:
    via = parse_via("SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK1;rport;received=192.0.2.9;x=y")
    assert (via.transport, via.host, via.port) == ("UDP", "192.0.2.1", 5070)
    assert (via.branch, via.rport, via.received) == ("z9hG4bK1", "", "192.0.2.9")
    assert via.sent_by == "192.0.2.1:5070"
    assert via.params["x"] == "y"


@pytest.mark.parametrize(
    ("text", "rport"),
    [("SIP/2.0/UDP a", None), ("SIP/2.0/UDP a;rport", ""), ("SIP/2.0/UDP a;RPORT=5070", "5070")],
)
def test_rport_is_absent_asked_for_or_filled_in(text: str, rport: str | None) -> None:
    assert parse_via(text).rport == rport


@pytest.mark.parametrize(
    "text",
    [
        "SIP / 2.0 / UDP  Host.Example : 5070 ; branch = z9hG4bK1",
        "SIP/2.0/udp\tHost.Example:5070;branch=z9hG4bK1",
        "SIP/2.0/UDP Host.Example:05070;BRANCH=z9hG4bK1",
    ],
)
def test_spaces_and_case_do_not_matter_in_a_via(text: str) -> None:
    via = parse_via(text)
    assert via == Via("UDP", "Host.Example", 5070, {"branch": "z9hG4bK1"})
    assert via.sent_by == "host.example:5070"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0 UDP a",
        "SIP/2.0/UDP a b",
        "SIP/2.0/UDP a:0",
        "SIP/2.0/UDP a:65536",
        "SIP/2.0/UDP a:5_0",
        "SIP/2.0/UDP a:５",
        "SIP/2.0/UDP a:",
        "SIP/2.0/UDP a;;branch=1",
        "SIP/2.0/UDP a;",
        "SIP/2.0/UDP a;branch=",
        "SIP/2.0/UDP a;=1",
        "SIP/2.0/UDP a;branch=1;branch=2",
        "SIP/2.0/UDP 256.1.1.1",
        "SIP/2.0/UDP 1.2.3",
        "SIP/2.0/UDP [1.2.3.4]",
        "SIP/2.0/UDP [fe80::1%eth0]",
        "SIP/2.0/UDP 2001:db8::1",
        "SIP/2.0/UDP -a",
        "SIP/2.0/UDP a..b",
        "SIP/2.0/UDP \u212aelvin",
        "\u017fIP/2.0/UDP a",
        "SIP/2.0/UDP a;branch=\xa0",
    ],
)
def test_a_malformed_via_is_refused(text: str) -> None:
    with pytest.raises(SipParseError):
        parse_via(text)


HOSTS = """
# host                  -> is_one
  a                     -> yes
  a.example             -> yes
  a.example.            -> yes
  a-b.c-d.example       -> yes
  my_host               -> yes
  3com.example          -> yes
  xn--caf-dma.example   -> yes
  192.0.2.1             -> yes
  0.0.0.0               -> yes
  [::1]                 -> yes
  [2001:db8::192.0.2.1] -> yes
  192.0.2.256           -> no
  192.0.2               -> no
  1                     -> no
  192.0.2.1.            -> no
  01.2.3.4              -> no
  [::1                  -> no
  ::1                   -> no
  []                    -> no
  [1::2::3]             -> no
  .a                    -> no
  a..b                  -> no
  -a                    -> no
  a/b                   -> no
  é.example             -> no
"""


@pytest.mark.parametrize(("host", "is_one"), cases(HOSTS))
def test_what_is_a_host(host: str, is_one: str) -> None:
    assert is_host(host) == (is_one == "yes")


CSEQS = """
# written            -> number       method
  1_INVITE           -> 1            INVITE
  0_OPTIONS          -> 0            OPTIONS
  0009__INVITE       -> 9            INVITE
  2147483647_ACK     -> 2147483647   ACK
  1_x-own!           -> 1            x-own!
  2147483648_INVITE  -> refused      -
  4294967296_INVITE  -> refused      -
  -1_INVITE          -> refused      -
  +1_INVITE          -> refused      -
  １_INVITE          -> refused      -
  1                  -> refused      -
  1_                 -> refused      -
  _INVITE            -> refused      -
  1_INV_ITE          -> refused      -
  1INVITE            -> refused      -
  1_INV(             -> refused      -
"""


@pytest.mark.parametrize(("written", "number", "method"), cases(CSEQS))
def test_cseq_is_31_bits_and_a_method(written: str, number: str, method: str) -> None:
    text = written.replace("_", " ")
    if number == "refused":
        with pytest.raises(SipParseError):
            parse_cseq(text)
    else:
        assert parse_cseq(text) == CSeq(int(number), method)
        assert parse_cseq(text.replace(" ", "\t")) == CSeq(int(number), method)


@pytest.mark.parametrize("text", ["1_0 INVITE", "1\xa0INVITE", "1\x0bINVITE", "9" * 5000 + " INVITE"])
def test_what_int_and_split_would_take_is_no_cseq(text: str) -> None:
    with pytest.raises(SipParseError):
        parse_cseq(text)


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("70", 70), ("0068", 68), ("255", 255)])
def test_max_forwards_is_0_to_255(text: str, value: int) -> None:
    assert parse_max_forwards(text) == value


@pytest.mark.parametrize("text", ["256", "300", "-1", "", "7_0", "7.0", "٣", "9" * 5000])
def test_any_other_max_forwards_is_refused(text: str) -> None:
    with pytest.raises(SipParseError):
        parse_max_forwards(text)


DELTA_SECONDS = """
# written                                -> seconds
  0                                      -> 0
  3600                                   -> 3600
  00003600                               -> 3600
  4294967295                             -> 4294967295
  4294967296                             -> 4294967295
  10000000000000000000000000000000000000 -> 4294967295
  -1                                     -> refused
  1_0                                    -> refused
  1.5                                    -> refused
  ３６                                   -> refused
  -                                      -> refused
"""


@pytest.mark.parametrize(("written", "seconds"), cases(DELTA_SECONDS))
def test_delta_seconds_are_cut_to_32_bits(written: str, seconds: str) -> None:
    if seconds == "refused":
        with pytest.raises(SipParseError):
            parse_delta_seconds(written)
    else:
        assert parse_delta_seconds(written) == int(seconds)


def test_delta_seconds_of_any_length_are_read() -> None:
    assert parse_delta_seconds("9" * 16000) == 2**32 - 1
    assert parse_delta_seconds("0" * 16000 + "7") == 7


def test_content_lengths_agree_by_value() -> None:
    assert parse_content_length(["5", "05"]) == 5
    with pytest.raises(SipParseError):
        parse_content_length(["5", "6"])


PARAMS = """
# written                -> params
  -                      -> -
  ;a                     -> a
  ;a=b                   -> a=b
  ;A=B                   -> a=B
  ;a="b;c=d"             -> a="b;c=d"
  ;a="b\\";c"            -> a="b\\";c"
  ;a=[::1];b             -> a=[::1],b
  ;tag=a=b/c@d           -> tag=a=b/c@d
  ;a=1;a=1               -> a=1
  ;a=1;A=2               -> refused
  ;a;a=1                 -> refused
  ;;a                    -> refused
  ;a;                    -> refused
  ;a=                    -> refused
  ;=a                    -> refused
  a=b                    -> refused
  ;a="b                  -> refused
  ;a=b"c"                -> refused
  ;a=é                   -> refused
  ;a(=b                  -> refused
  ;a=b,c                 -> refused
  ;a=<b>                 -> refused
"""


@pytest.mark.parametrize(("written", "expected"), cases(PARAMS))
def test_parameters(written: str, expected: str) -> None:
    if expected == "refused":
        with pytest.raises(SipParseError):
            parse_params(written)
        return
    params = parse_params(written)
    assert (
        ",".join(name if value is None else f"{name}={value}" for name, value in params.items()) == expected
    )
    assert parse_params(format_params(params)) == params
    assert parse_params(f"  {written.replace(';', ' ; ')}") == params or '"' in written


NAMES = st.text("abcxyz019-.!%*_+`'~", min_size=1, max_size=6)
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n"), max_size=12)
VALUES = NAMES | st.sampled_from(["[::1]", "2001:db8::1", "a=b", "/x@y"]) | TEXTS.map(quote)
PARAM_SETS = st.dictionaries(NAMES, st.none() | VALUES, max_size=4)
HOST_NAMES = st.sampled_from(["a", "a.example", "192.0.2.1", "[2001:db8::1]", "my_host.", "h-1.example"])
PORTS = st.none() | st.integers(1, 65535)


@given(PARAM_SETS)
def test_parameters_printed_and_read_are_the_same(params: dict[str, str | None]) -> None:
    assert parse_params(format_params(params)) == params


@given(TEXTS)
def test_quoted_and_unquoted_text_is_the_same(text: str) -> None:
    assert unquote(quote(text)) == text


@given(st.sampled_from(["UDP", "TCP", "TLS", "X-OWN"]), HOST_NAMES, PORTS, PARAM_SETS)
def test_a_via_printed_and_read_is_the_same(
    transport: str, host: str, port: int | None, params: dict[str, str | None]
) -> None:
    via = Via(transport, host, port, params)
    assert parse_via(format_via(via)) == via


@given(st.integers(0, 2**31 - 1), NAMES)
def test_a_cseq_printed_and_read_is_the_same(number: int, method: str) -> None:
    assert parse_cseq(str(CSeq(number, method))) == CSeq(number, method)
