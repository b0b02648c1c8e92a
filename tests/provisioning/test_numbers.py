"""Numbers as people write them. Only numbers kept free for drama, and short texts that are none."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.numbers import is_e164, parse_number
from provisioning.problems import NumberProblem

EXAMPLES = Path(__file__).parents[3] / "shared" / "corpora" / "numbering" / "libphonenumber_examples.json"

READABLE = """
    01632 960001            +441632960001
    01632960001             +441632960001
    (01632) 960-001         +441632960001
    +44 1632 960001         +441632960001
    +44 (0)1632 960001      +441632960001
    +44(0) 1632 960001      +441632960001
    +44 01632 960001        +441632960001
    +44-1632-960.001        +441632960001
    00441632960001          +441632960001
    00 44 (0)1632 960001    +441632960001
    441632960001            +441632960001
    020 7946 0123           +442079460123
    0115 496 0123           +441154960123
    07700 900123            +447700900123
    0808 157 0123           +448081570123
    0909 879 0123           +449098790123
    0306 999 0123           +443069990123
    016977 2345             +44169772345
    01204 62345             +44120462345
    0800 1111               +448001111
    0845 46 47              +448454647
    +1 212 555 0100         +12125550100
    0033 1 99 00 12 34      +33199001234
    +290 51234              +29051234
"""

UNREADABLE = [
    "", " ", "+", "0", "00", "999", "112", "118500", "1001", "960001", "alice", "01632 96000x", "+44", "+44 0",
    "0163296000123", "01632", "0632 960001", "0432 960001", "+4401632", "+0441632960001", "++441632960001",
    "+44+1632960001", "01632 960001 ext 2", "0800 1112", "+1234567890123456", "+123456", "01632\n960001",
    "01632 960001;0163", "\u0660\u0661\u0666\u0663\u0662\u0669\u0666\u0660\u0660\u0660\u0661", "\uff10\uff11632960001",
    "0163296\x000001", "\udc80", "0" * 10_000,
]  # fmt: skip


@pytest.mark.parametrize("row", READABLE.strip().split("\n"))
def test_a_number_in_any_usual_spelling_becomes_one_e164(row: str) -> None:
    written, e164 = row.strip().rsplit(None, 1)
    assert parse_number(written.strip()) == e164
    assert parse_number(f" {written.strip()}\t") == e164


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_is_no_number_is_refused_with_the_text_and_an_example(text: str) -> None:
    with pytest.raises(NumberProblem) as caught:
        parse_number(text)
    assert "expected" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


def test_a_leading_zero_means_the_country_that_is_asked_for() -> None:
    assert parse_number("030 1234567", country_code="49") == "+49301234567"
    assert parse_number("49301234567", country_code="49") == "+49301234567"


@given(st.text(max_size=60))
def test_any_text_gives_a_number_that_reads_as_itself_or_is_refused(text: str) -> None:
    try:
        number = parse_number(text)
    except NumberProblem:
        return
    assert parse_number(number) == number
    assert is_e164(number)
    assert number[0] == "+"
    assert number[1:].isascii() and number[1:].isdigit()


@pytest.mark.skipif(not EXAMPLES.exists(), reason=f"the example numbers are not at {EXAMPLES}")
def test_example_numbers_of_every_country_are_read() -> None:
    examples = json.loads(EXAMPLES.read_text(encoding="utf-8"))["numbers"]
    read = 0
    for example in examples:
        if not 7 <= len(example["e164"]) - 1 <= 15:  # islands with five digits: shorter than we take
            continue
        assert parse_number(example["e164"]) == example["e164"]
        assert parse_number(example["international"]) == example["e164"]
        if example["country_code"] == 44:
            assert parse_number(example["national"]) == example["e164"]
        read += 1
    assert read > 500
