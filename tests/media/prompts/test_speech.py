"""What is said, in which order, as tables; and that there is a prompt for every word of it."""

import tomllib
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import media.prompts
from media.prompts import speech
from media.tones import TONES
from tests.tables import cases

WORDS = tomllib.loads((Path(media.prompts.__file__).parent / "en_GB.toml").read_text(encoding="utf-8"))
NAMES = {name for table in WORDS.values() for name in table}

NUMBERS = """
# value -> names
0       -> number-0
12      -> number-12
99      -> number-99
100     -> number-1,hundred
101     -> number-1,hundred,and,number-1
999     -> number-9,hundred,and,number-99
"""

# Digits stand for digit-N, a blank for the pause.
TELEPHONE_NUMBERS = """
# number            -> said
+442079460123       -> 020|7946|0123
+441214960123       -> 0121|496|0123
+441632960123       -> 01632|960|123
+447700900123       -> 07700|900|123
+448081570123       -> 0808|157|0123
01632960123         -> 01632|960|123
+33199001234        -> plus331|990|012|34
1571                -> 1571
101                 -> 101
1001234             -> 100|1234
+447710900123       -> 07710|900|123
0044                -> 0044
alice               -> -
-                   -> -
+                   -> -
٠١٢                 -> -
"""

# Seen from Wednesday, 4 March 2026, 09:30.
MOMENTS = """
# at              -> said
2026-03-04T09:30  -> today,at,number-9,number-30,am
2026-03-04T00:00  -> today,at,number-12,am
2026-03-03T23:59  -> yesterday,at,number-11,number-59,pm
2026-03-03T12:05  -> yesterday,at,number-12,oh,number-5,pm
2026-03-02T10:15  -> at,number-10,number-15,am,on,monday,day-2,of,march
2025-12-31T13:00  -> at,number-1,pm,on,wednesday,day-31,of,december
2026-03-05T08:01  -> tomorrow,at,number-8,oh,number-1,am
2026-03-06T08:01  -> at,number-8,oh,number-1,am,on,friday,day-6,of,march
"""

COUNTS = """
# new saved -> said
0     0     -> you-have,no-messages
1     0     -> you-have,one-new-message
2     0     -> you-have,number-2,new-messages
0     1     -> you-have,no-new-messages,and,one-saved-message
0     20    -> you-have,no-new-messages,and,number-20,saved-messages
1     1     -> you-have,one-new-message,and,one-saved-message
12    3     -> you-have,number-12,new-messages,and,number-3,saved-messages
5000  0     -> you-have,number-9,hundred,and,number-99,new-messages
"""


@pytest.mark.parametrize(("value", "names"), cases(NUMBERS))
def test_numbers(value, names):
    assert ",".join(speech.number(int(value))) == names


@pytest.mark.parametrize("value", [-1, 1000])
def test_numbers_without_words(value):
    with pytest.raises(ValueError, match="0 to 999"):
        speech.number(value)


@pytest.mark.parametrize(("number", "said"), cases(TELEPHONE_NUMBERS))
def test_telephone_numbers(number, said):
    names = speech.digits(number)
    assert (
        "".join({"pause": "|", "plus": "plus"}.get(name, name.removeprefix("digit-")) for name in names)
        == said
    )


@pytest.mark.parametrize(("at", "said"), cases(MOMENTS))
def test_moments(at, said):
    assert ",".join(speech.moment(datetime.fromisoformat(at), datetime(2026, 3, 4, 9, 30))) == said  # noqa: DTZ001


@pytest.mark.parametrize(("new", "saved", "said"), cases(COUNTS))
def test_counts(new, saved, said):
    assert ",".join(speech.counts(int(new), int(saved))) == said


@pytest.mark.parametrize(
    ("key", "said"), [("1", "press-1"), ("0", "press-0"), ("*", "press-star"), ("#", "press-hash")]
)
def test_a_line_of_a_menu(key, said):
    assert speech.choice("to-listen-again", key) == ("to-listen-again", said)


@pytest.mark.parametrize("key", ["", "12", "A", "\u0661"])
def test_what_is_no_key_is_our_mistake(key):
    with pytest.raises(KeyError):
        speech.choice("to-listen-again", key)


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001
    st.integers(0, 40 * 86_400),
    st.integers(0, 999),
    st.text("0123456789+*#-. ()abc", max_size=30),
)
def test_there_is_a_prompt_for_everything_that_is_said(at, age_s, count, number):
    said = (
        *speech.moment(at, at + timedelta(seconds=age_s)),
        *speech.number(count),
        *speech.counts(count, 999 - count),
        *speech.digits(number),
    )
    assert set(said) <= NAMES | set(TONES)


def test_names_are_unique_and_can_be_names_of_files_and_of_sip_users():
    assert len(NAMES) == sum(map(len, WORDS.values()))
    assert not NAMES & set(TONES)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for name in NAMES | set(TONES))


def test_every_digit_of_a_number_is_said():
    for number in ("+442079460123", "07700900586", "123456789012345"):
        said = "".join(
            name.removeprefix("digit-") for name in speech.digits(number) if name.startswith("digit-")
        )
        assert said == number.replace("+44", "0")
