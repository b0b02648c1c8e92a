"""Words that the switch wants said: how they are read, and what is played for them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tables import cases
from voicemail.wording import Wording
from voicemail.words import CHARS_MAX, WORDS_MAX, read_words

LONDON = ZoneInfo("Europe/London")
NOW = datetime(2026, 7, 1, 23, 30, tzinfo=LONDON)


def at(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp() * 1000)


# words                                  -> played
WORDS = f"""
# text                                -> said
please-hold                           -> please-hold
you-have.one-new-message              -> you-have,one-new-message
number-02079460123                    -> digit-0,digit-2,digit-0,pause,digit-7,digit-9,digit-4,digit-6,pause,digit-0,digit-1,digit-2,digit-3
number-+441632960123                  -> digit-0,digit-1,digit-6,digit-3,digit-2,pause,digit-9,digit-6,digit-0,pause,digit-1,digit-2,digit-3
number-7                              -> digit-7
count-7                               -> number-7
count-112                             -> number-1,hundred,and,number-12
count-1000                            -> count-1000
number-                               -> number-
number-1_0                            -> unreadable-word
at-{at(2026, 7, 1, 6, 5)}                      -> today,at,number-7,oh,number-5,am
at-{at(2026, 7, 1, 23, 30)}                      -> tomorrow,at,number-12,number-30,am
at-{at(2026, 12, 24, 7, 0)}                      -> at,number-7,am,on,thursday,day-24,of,december
at-99999999999999999                  -> at-99999999999999999
own.7.welcome                         -> own:7.welcome
own.7.welcome.count-2                 -> own:7.welcome,number-2
own.x.welcome.count-2                 -> unreadable-word,number-2
own.7                                 -> unreadable-word
own                                   -> unreadable-word
..                                    -> unreadable-word,unreadable-word,unreadable-word
Please-Hold                           -> unreadable-word
%0a                                   -> unreadable-word
"""  # noqa: E501


@pytest.mark.parametrize(("text", "said"), cases(WORDS))
def test_a_word_is_played_as_it_was_meant(text, said):
    clips = Wording(lambda: NOW).clips(read_words(text))
    names = [f"own:{clip.name}" if clip.kind.value == "own" else clip.name for clip in clips]
    assert ",".join("pause" if name == "200" else name for name in names) == said


def test_nobody_listens_for_ever():
    assert len(read_words(".".join(["a"] * WORDS_MAX))) == WORDS_MAX
    assert read_words(".".join(["a"] * (WORDS_MAX + 1))) == ()
    assert read_words("a" * (CHARS_MAX + 1)) == ()
    assert read_words("") == ()


@given(st.text(max_size=200))
def test_whatever_is_asked_for_can_be_looked_up(text):
    Wording(lambda: NOW).clips(read_words(text))


@given(st.lists(st.from_regex(r"(at|number|count|own)[-.+0-9]{0,30}", fullmatch=True), max_size=10))
def test_whatever_numbers_are_asked_for_can_be_said(parts):
    Wording(lambda: NOW).clips(read_words(".".join(parts)))
