"""Python's own readers of text are wider than SIP's: nothing from the wire may reach them unlooked at.

`int()` takes "1_0", "+1", " 1" and the digits of every script; `splitlines()` ends a line at U+2028, `split()` and
`strip()` without saying what take U+00A0. So each number that the parsers read comes from one of the places named
here, after its characters were looked at and with a limit of digits.
"""

import ast
from pathlib import Path

import pytest

import switch.sdp
import switch.sip
from switch.sip.errors import SipParseError
from switch.sip.fields import (
    parse_content_length,
    parse_cseq,
    parse_delta_seconds,
    parse_max_forwards,
    parse_via,
)
from switch.sip.parser import parse_message
from switch.sip.uri import parse_uri
from tests.compiled import interpreted_only

ROOT = Path(__file__).resolve().parents[3] / "switch"
# file, function -> why int() is safe there
NUMBERS = {
    ("sip/grammar.py", "parse_digits"): "ASCII digits, 20 at most",
    ("sip/grammar.py", "parse_port"): "matched [0-9]{1,5}",
    ("sip/fields.py", "parse_delta_seconds"): "ASCII digits, 10 significant ones at most",
    ("sip/fields.py", "salvage_via"): "matched [0-9]{1,5}",
    ("sip/parser.py", "_parse_status_line"): "three ASCII digits",
    ("sip/uri.py", "plain"): "matched two hexadecimal digits",
    ("sip/uri.py", "_same_escapes"): "the same: plain is a part of it",
    ("sip/digest.py", "_judge"): "matched eight hexadecimal digits",
    ("sip/nonces.py", "is_current"): "under our own seal",
    ("sip/nonces.py", "take"): "under our own seal",
    ("sip/nonces.py", "__init__"): "from configuration",
    ("sip/nonces.py", "mint"): "our own clock",
    ("sip/nonces.py", "_drop_expired"): "our own clock",
    ("sip/nonces.py", "_drop_oldest"): "our own clock",
    ("sip/stack.py", "_retry_after"): "our own tag",
    ("sdp/description.py", "__init__"): "matched [0-9]{1,5}",
    ("sdp/description.py", "codecs"): "matched [0-9]{1,9}, or ASCII digits, 16 at most",
    ("sdp/description.py", "ptime_ms"): "matched [0-9]{1,6}",
    ("sdp/description.py", "origin"): "matched [0-9]{1,20}",
    ("sdp/description.py", "read_payload_type"): "ASCII digits, three at most",
    ("sdp/description.py", "_port"): "matched [0-9]{1,5}",
}


def calls_of(names: set[str]) -> set[tuple[str, str, str]]:
    """(file, function, called) for every call of a builtin or a method of these names."""
    found = set()
    for package in (switch.sip, switch.sdp):
        for path in sorted(Path(package.__path__[0]).glob("*.py")):
            tree = ast.parse(path.read_text())
            for function in ast.walk(tree):
                if isinstance(function, ast.FunctionDef):
                    for node in ast.walk(function):
                        if isinstance(node, ast.Call):
                            called = (
                                node.func.id
                                if isinstance(node.func, ast.Name)
                                else getattr(node.func, "attr", "")
                            )
                            if called in names:
                                found.add((str(path.relative_to(ROOT)), function.name, called))
    return found


@interpreted_only
def test_numbers_are_read_only_where_their_characters_were_looked_at() -> None:
    found = {(file, function) for file, function, _ in calls_of({"int", "float"})}
    assert found == set(NUMBERS), "look at the characters and the length first, then name the place here"


@interpreted_only
def test_lines_and_white_space_are_never_pythons_idea_of_them() -> None:
    assert calls_of({"splitlines", "isdecimal", "isnumeric"}) == set()
    for package in (switch.sip, switch.sdp):
        for path in sorted(Path(package.__path__[0]).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in {
                    "split",
                    "strip",
                    "lstrip",
                    "rstrip",
                }:
                    assert node.args, f"{path.name}:{node.lineno}: say at which characters"


ODD_NUMBERS = [
    "1_0",
    "+1",
    "-1",
    " 1",
    "1 ",
    "\u0661",
    "\uff11",
    "\u00b2",
    "1.0",
    "1e1",
    "0x1",
    "",
    "9" * 5000,
]


@pytest.mark.parametrize("text", ODD_NUMBERS)
def test_an_odd_number_is_none_anywhere(text: str) -> None:
    for parse in (parse_delta_seconds, parse_max_forwards, lambda digits: parse_content_length([digits])):
        if text == "9" * 5000 and parse is parse_delta_seconds:
            assert parse(text) == 2**32 - 1
            continue
        with pytest.raises(SipParseError):
            parse(text)
    with pytest.raises(SipParseError):
        parse_uri(f"sip:a@b:{text}")
    if text.strip(" ") != "1":  # white space round a CSeq number and a sent-by port is legal
        with pytest.raises(SipParseError):
            parse_cseq(f"{text} INVITE")
        with pytest.raises(SipParseError):
            parse_via(f"SIP/2.0/UDP host:{text};branch=z9hG4bK1")
    with pytest.raises(SipParseError):
        parse_message(f"SIP/2.0 {text} OK\r\n\r\n".encode())
