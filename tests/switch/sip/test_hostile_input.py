"""Input made to crash or to stall: fuzzers' seeds as they are and mutated, and the worst of each kind at full size.

That parsing takes linear time is argued in the sources (possessive patterns, one pass each). Here each worst case
is parsed at 16 and at 64 kB: were any step quadratic, the larger would take sixteen times as long.
"""

import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switch.sip.errors import SipParseError
from switch.sip.fields import parse_via
from switch.sip.framing import StreamBroken, StreamFramer
from switch.sip.grammar import parse_params, split_commas
from switch.sip.message import Request, format_message, make_response
from switch.sip.parser import parse_message
from switch.sip.uri import parse_name_addr, parse_uri
from switch.sip.validate import door_refusal, response_problem
from tests.switch.sip.samples import CORPORA, INVITE, invite_bytes, message_bytes

FUZZ = CORPORA / "fuzz"
KB = 1024
# Linear is 4, quadratic 16; the rest is for what a busy machine adds.
RATIO_MAX = 9


def swallow(data: bytes) -> None:
    """Parse and look at everything. Only the errors meant for it may come out."""
    try:
        message = parse_message(data)
    except SipParseError as error:
        if error.request is not None:
            format_message(make_response(error.request, error.status, to_tag="x"))
        return
    if isinstance(message, Request):
        refusal = door_refusal(message)
        if refusal is None or "via" in message.headers:
            format_message(make_response(message, 400 if refusal is None else refusal.status, to_tag="x"))
    else:
        response_problem(message)
    for name in set(message.headers.keys()):
        message.headers.values(name)
    format_message(message)


def stream(data: bytes) -> None:
    try:
        for frame in StreamFramer().feed(data):
            if isinstance(frame, bytes):
                swallow(frame)
    except StreamBroken:
        pass


def seeds() -> list[Any]:
    if not FUZZ.exists():
        return [
            pytest.param(b"", id="fuzz-absent", marks=pytest.mark.skip(reason=f"the corpus is not at {FUZZ}"))
        ]
    found = []
    for path in sorted(path for path in FUZZ.rglob("*") if path.is_file()):
        found.append(pytest.param(path.read_bytes(), id=path.name))
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                found += [
                    pytest.param(archive.read(name), id=name)
                    for name in archive.namelist()
                    if not name.endswith("/")
                ]
    return found


@pytest.mark.parametrize("data", seeds())
def test_a_fuzzers_seed_is_read_or_refused(data: bytes) -> None:
    swallow(data)
    swallow(data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    stream(data)


@pytest.mark.parametrize("data", seeds())
def test_a_fuzzers_seed_is_no_crash_as_a_field(data: bytes) -> None:
    text = data[: 8 * KB].decode("utf-8", "surrogateescape")
    for parse in (parse_uri, parse_name_addr, parse_via, parse_params):
        for line in text.split("\n"):
            try:
                parse(line.strip("\r"))
            except SipParseError:
                continue


SEEDS = [seed.values[0] for seed in seeds() if seed.values[0]] or [invite_bytes(body=b"v=0")]
MUTATIONS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 8),
        st.binary(max_size=4) | st.sampled_from([b"\r\n", b'"', b"<", b"\\"]),
    ),
    max_size=6,
)


@given(st.sampled_from(SEEDS), MUTATIONS)
@settings(deadline=None, max_examples=500)
def test_a_mutated_seed_is_read_or_refused(seed: Any, mutations: list[tuple[float, int, bytes]]) -> None:
    data = bytearray(seed)
    for place, cut, added in mutations:
        at = int(place * len(data))
        data[at : at + cut] = added
    swallow(bytes(data))
    stream(bytes(data))


def filled(unit: str, size: int) -> str:
    return unit * (size // len(unit.encode()))


def head_of(line: Callable[[str], str], unit: str) -> Callable[[int], bytes]:
    """A message with one kind of line filled with a unit; several lines, as one alone is limited to 16 kB."""

    def build(size: int) -> bytes:
        lines = [line(filled(unit, 8 * KB)) for _ in range(size // (8 * KB))]
        return message_bytes(*INVITE, *lines)

    return build


WHOLE_MESSAGES: dict[str, Callable[[int], bytes]] = {
    "line ends": lambda size: b"\r\n" * (size // 2),
    "line ends before a message": lambda size: b"\r\n" * (size // 2) + invite_bytes(),
    "one long line": lambda size: b"a" * size,
    "spaces": lambda size: b" " * size,
    "colons": lambda size: b":" * size,
    "bare CR": lambda size: b"\r" * size,
    "bare LF": lambda size: b"\n" * size,
    "NUL": lambda size: b"\0" * size,
    "empty fields": lambda size: invite_bytes(*["X:"] * (size // 4)),
    "folds": lambda size: invite_bytes("X-One: 1", *[" "] * (size // 3)),
    "folds of tabs": lambda size: invite_bytes("X-One: 1", *["\t" * 30] * (size // 32)),
    "commas in Via": head_of(lambda text: f"Via: SIP/2.0/UDP h{text}", ","),
    "quotes in Contact": head_of(lambda text: f"Contact: {text}", '"'),
    "escaped quotes in Contact": head_of(lambda text: f"Contact: {text}", '\\"'),
    "open brackets in Contact": head_of(lambda text: f"Contact: {text}", "<"),
    "brackets in Contact": head_of(lambda text: f"Contact: {text}", "<>,"),
    "contacts": head_of(lambda text: f"Contact: {text[:-1]}", "<sip:a@b>,"),
    "semicolons in Contact": head_of(lambda text: f"Contact: <sip:a@b>{text}", ";"),
    "parameters in Contact": head_of(lambda text: f"Contact: <sip:a@b>{text}", ";a=b"),
    "parameters in the URI": head_of(lambda text: f"Contact: <sip:a@b{text}>", ";a=b"),
    "routes": head_of(lambda text: f"Route: {text[:-1]}", "<sip:a@b;lr>,"),
    "percent signs": head_of(lambda text: f"Contact: <sip:{text}@b>", "%41"),
    "dots in the host": head_of(lambda text: f"Contact: <sip:{text}>", "a."),
    "a body": lambda size: invite_bytes(body=b"\r\n\r\n" * (size // 4)),
    "bad octets": lambda size: invite_bytes("X-One: 1", body=b"") + b"\xff" * size,
    "bad octets in a head": lambda size: invite_bytes(
        *["X-One: " + "\udcff" * (4 * KB)] * (size // (4 * KB))
    ),
}

FIELDS: dict[str, tuple[Callable[[str], object], str, str]] = {
    # what: parser, what stands before, the unit that is repeated
    "quotes": (split_commas, "a,", '"'),
    "escaped quotes": (split_commas, ",", '"\\'),
    "backslashes in quotes": (split_commas, ',"', "\\"),
    "brackets": (split_commas, ",", "<"),
    "commas": (split_commas, "", ",<"),
    "display name": (parse_name_addr, "", "a "),
    "quoted display name": (parse_name_addr, '"', "\\a"),
    "quoted display names": (parse_name_addr, '"', '"\\'),
    "spaces after a display name": (parse_name_addr, '"a"', " "),
    "addr-spec": (parse_name_addr, "sip:", "a"),
    "empty parameters": (parse_params, "", ";"),
    "quoted parameters": (parse_params, ";a=", '"\\'),
    "parameters with spaces": (parse_params, " ", ";a = b"),
    "spaces in parameters": (parse_params, ";a", " "),
    "equals signs": (parse_params, ";a", "="),
    "user part": (parse_uri, "sip:", "a"),
    "escapes": (parse_uri, "sip:", "%4"),
    "at signs": (parse_uri, "sip:", "a@"),
    "passwords": (parse_uri, "sip:", "a:"),
    "labels": (parse_uri, "sip:", "a-"),
    "dots": (parse_uri, "sip:", "."),
    "digits": (parse_uri, "sip:", "1."),
    "colons in an IPv6 address": (parse_uri, "sip:[", ":"),
    "URI parameters": (parse_uri, "sip:a@b", ";a"),
    "URI headers": (parse_uri, "sip:a@b?", "a=%4"),
    "telephone numbers": (parse_uri, "tel:", "-"),
    "another scheme": (parse_uri, "urn:", "a:"),
    "schemes": (parse_uri, "", "a"),
    "Via spaces": (parse_via, "SIP", " "),
    "Via slashes": (parse_via, "", "SIP/2.0/"),
    "Via tokens": (parse_via, "", "a"),
    "Via host": (parse_via, "SIP/2.0/UDP ", "a."),
    "Via parameters": (parse_via, "SIP/2.0/UDP a", ";branch"),
}


def try_field(parse: Callable[[str], object], text: str) -> None:
    with suppress(SipParseError):
        parse(text)


def cpu_s(work: Callable[[], None]) -> float:
    """The least of a few tries: what else the machine does only adds."""
    tries = []
    for _ in range(5):
        start = time.process_time()
        work()
        tries.append(time.process_time() - start)
    return min(tries)


@pytest.mark.parametrize("kind", WHOLE_MESSAGES)
def test_the_time_to_parse_grows_with_the_message_and_no_faster(kind: str) -> None:
    build = WHOLE_MESSAGES[kind]
    small, large = build(16 * KB), build(64 * KB)
    assert len(large) > 3 * len(small)
    assert_linear(lambda: swallow(small), lambda: swallow(large))
    assert_linear(lambda: stream(small), lambda: stream(large))


@pytest.mark.parametrize("kind", FIELDS)
def test_the_time_to_parse_a_field_grows_with_it_and_no_faster(kind: str) -> None:
    parse, before, unit = FIELDS[kind]
    small, large = before + filled(unit, 16 * KB), before + filled(unit, 64 * KB)
    assert_linear(lambda: try_field(parse, small), lambda: try_field(parse, large))


def assert_linear(small: Callable[[], None], large: Callable[[], None]) -> None:
    # Below this no difference can be told from the noise, and nothing that fast needs to be.
    least_s = 0.0005
    assert cpu_s(large) <= max(cpu_s(small), least_s) * RATIO_MAX
