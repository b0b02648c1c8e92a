"""What the switch wants for its call services, by the Request-URI and its parameters.

sip:say@...;words=w1.w2[;keys=3][;then=hangup]                      say that, take a key meanwhile
sip:menu@...;prompt=p;choices=1.2.s;extension=3;timeout=5;tries=3   take digits
sip:queue@...;music=m;position=n[;says=1]                           wait for somebody
sip:music@...;music=m                                               be parked
sip:conference.ID@...                                               speak with others
sip:call@...;token=T;words=...;keys=...;then=refer                  of a REFER: call the line of its Refer-To

A parameter that is there and cannot be read makes the whole URI one that is not known here: a menu without the choice
that somebody had in mind would be worse than none. "*" and "#" are written s and h.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from switch.sip.uri import SipUri, unescape
from voicemail.words import Word, WordKind, Words, read_words

KEY_LETTERS: Final = {"*": "s", "#": "h"}
_KEYS_BY_LETTER: Final = {letter: key for key, letter in KEY_LETTERS.items()} | {d: d for d in "0123456789"}
KEYS_MAX: Final = 12  # of a telephone
# The longest numbers within a business.
EXTENSION_DIGITS_MAX: Final = 10
TIMEOUT_S_DEFAULT: Final = 5
TIMEOUT_S_MAX: Final = 60
TRIES_DEFAULT: Final = 3
TRIES_MAX: Final = 10
POSITION_MAX: Final = 999
_MUSIC: Final = re.compile(r"[a-z0-9-]{1,64}").fullmatch
_CONFERENCE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}").fullmatch
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,128}").fullmatch
_DECIMAL: Final = re.compile(r"[0-9]{1,3}").fullmatch


class SayTo(NamedTuple):
    """`keys` may be pressed; `refers` after the words, too, instead of hanging up."""

    words: Words
    keys: str = ""
    refers: bool = False


class MenuOf(NamedTuple):
    """`choices` end it at once; any other digit begins an extension of so many, where that is not 0."""

    prompt: Words
    choices: str
    extension_digits: int
    timeout_s: int
    tries: int


class QueueFor(NamedTuple):
    """`music` "" is the house's."""

    music: str
    position: int
    says_position: bool


class MusicFor(NamedTuple):
    music: str


class ConferenceOf(NamedTuple):
    name: str


class CallOut(NamedTuple):
    """Of a REFER. `token` tells the switch which of its calls this is."""

    token: str
    say: SayTo


ServiceTarget = SayTo | MenuOf | QueueFor | MusicFor | ConferenceOf
Params = Mapping[str, str | None]


class _Unreadable(Exception):  # noqa: N818 - ends here
    """A parameter that is there and is nothing."""


def service_target_of(uri: SipUri) -> ServiceTarget | None:
    """None: nothing that is done here."""
    what, _, rest = uri.unescaped_user.partition(".")
    try:
        match what:
            case "say" if not rest:
                return _say(uri.params)
            case "menu" if not rest:
                return _menu(uri.params)
            case "queue" if not rest:
                position = _number(uri.params, "position", default=0, most=POSITION_MAX)
                says = _number(uri.params, "says", default=0, most=1)
                return QueueFor(_music(uri.params), position, says_position=bool(says))
            case "music" if not rest:
                return MusicFor(_music(uri.params))
            case "conference" if _CONFERENCE(rest):
                return ConferenceOf(rest)
    except _Unreadable:
        pass
    return None


def call_out_of(uri: SipUri) -> CallOut | None:
    """What a REFER to sip:call@... asks for."""
    token = _text(uri.params, "token")
    if uri.unescaped_user != "call" or not _TOKEN(token):
        return None
    try:
        return CallOut(token, _say(uri.params))
    except _Unreadable:
        return None


def words_of(params: Params) -> Words:
    """() for none."""
    return read_words(_text(params, "words"))


def letters_of(keys: str) -> str:
    """Keys as they stand in a URI."""
    return "".join(KEY_LETTERS.get(key, key) for key in keys)


def _say(params: Params) -> SayTo:
    words = words_of(params)
    then = _text(params, "then", default="hangup")
    if not words or then not in ("hangup", "refer"):
        raise _Unreadable
    return SayTo(words, _keys(params, "keys"), refers=then == "refer")


def _menu(params: Params) -> MenuOf:
    choices = _keys(params, "choices")
    digits = _number(params, "extension", default=0, most=EXTENSION_DIGITS_MAX)
    prompt: tuple[Word, ...] = read_words(_text(params, "prompt"))
    if not prompt or not (choices or digits):
        raise _Unreadable
    return MenuOf(
        prompt,
        choices,
        digits,
        _number(params, "timeout", default=TIMEOUT_S_DEFAULT, least=1, most=TIMEOUT_S_MAX),
        _number(params, "tries", default=TRIES_DEFAULT, least=1, most=TRIES_MAX),
    )


def _keys(params: Params, name: str) -> str:
    """ "1.2.s" or "12s" """
    letters = _text(params, name).replace(".", "")
    if len(letters) > KEYS_MAX or not all(letter in _KEYS_BY_LETTER for letter in letters):
        raise _Unreadable
    return "".join(_KEYS_BY_LETTER[letter] for letter in letters)


def _music(params: Params) -> str:
    """A name of the house's music, or own.<account id>.<name>."""
    text = _text(params, "music")
    if text and not _MUSIC(text):
        words = read_words(text)
        if len(words) != 1 or words[0].kind is not WordKind.OWN:
            raise _Unreadable
        return f"own.{words[0].value}"
    return text


def _number(params: Params, name: str, *, default: int, least: int = 0, most: int) -> int:
    text = _text(params, name)
    if not text:
        return default
    if not _DECIMAL(text):
        raise _Unreadable
    number = int(text)
    if not least <= number <= most:
        raise _Unreadable
    return number


def _text(params: Params, name: str, *, default: str = "") -> str:
    value = params.get(name)
    return unescape(value) if value else default
