"""A question as it was understood: typed texts read into times and numbers, and words that say so. Pure.

What an index answers (a number, a line, an account, an id) may be asked of all time. Everything else reads all calls
of a time, so that has a bound: the last week where none is named, and never more than a month.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from care.search.numbers import NumberAsked, NumberForm, read_number
from care.search.question import (
    LIMIT_MAX,
    TOLERANCE_EXACT_S,
    TOLERANCE_MAX_S,
    TOLERANCE_S,
    CallKind,
    CallQuestion,
)
from care.search.times import Period, around, moment_words, period_words, said
from provisioning.printable import shorten
from provisioning.problems import InvalidValue
from provisioning.utc import time_from_ms
from rating.charge import CALL_S_MAX

TEXT_CHARS_MAX: Final = 256  # a SIP Call-ID on a record
CAUSE_CHARS_MAX: Final = 60
UNINDEXED_DEFAULT: Final = timedelta(days=7)
UNINDEXED_MAX: Final = timedelta(days=31)
# Before the first call of any exchange.
BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
Q850_MAX: Final = 127
SIP_STATUS_MIN, SIP_STATUS_MAX = 200, 699

_NUMBER: Final = re.compile("[0-9]{1,3}")
_CURSOR: Final = re.compile("([0-9]{1,15})-(.{1,256})")
KIND_WORDS: Final = {
    CallKind.SHORT: "short calls",
    CallKind.FAILED: "calls that failed",
    CallKind.ONE_WAY: "sound one way only",
    CallKind.BAD_SOUND: "bad sound",
}


class Cursor(msgspec.Struct, frozen=True):
    """The last call of a page: where the next one goes on."""

    at: datetime
    call_id: str


class CauseAsked(msgspec.Struct, frozen=True):
    """One of the three is set."""

    sip_status: int | None = None
    q850_cause: int | None = None
    words: str = ""


class Understood(msgspec.Struct, frozen=True):
    """`periods` are UTC, the earliest first; at least one. `words` is the whole question in English."""

    question: CallQuestion
    periods: tuple[Period, ...]
    cli: NumberAsked | None
    ddi: NumberAsked | None
    number: NumberAsked | None
    cause: CauseAsked | None
    after: Cursor | None
    words: str


def understand(question: CallQuestion, now: datetime) -> Understood:
    """`now` is aware. Raises InvalidValue."""
    if not 1 <= question.limit <= LIMIT_MAX:
        raise InvalidValue("limit", str(question.limit), f"1 to {LIMIT_MAX}")
    for what in ("line", "account", "trunk", "call_id", "sip_call_id", "outcome"):
        _check_text(what.replace("_", " "), getattr(question, what))
    cli, ddi, number = (
        read_number(text, what=what) if text.strip() else None
        for what, text in (("CLI", question.cli), ("DDI", question.ddi), ("number", question.number))
    )
    for what, asked in (("DDI", ddi), ("number", number)):
        if asked is not None and asked.form is NumberForm.WITHHELD:
            raise InvalidValue(what, question.ddi or question.number, "a number; only a caller's is withheld")
    for what, seconds in (("longer than", question.longer_than_s), ("shorter than", question.shorter_than_s)):
        if seconds is not None and not 0 <= seconds <= CALL_S_MAX:
            raise InvalidValue(what, f"{seconds} seconds", f"0 to {CALL_S_MAX}")
    is_indexed = _is_indexed(question, cli, ddi, number)
    periods = _periods(question, now, is_indexed=is_indexed)
    understood = Understood(
        question, periods, cli, ddi, number, _cause(question.cause), cursor_from_text(question.after), ""
    )
    return msgspec.structs.replace(understood, words=_words(understood))


def cursor_text(at_ms: int, call_id: str) -> str:
    return f"{at_ms}-{call_id}"


def cursor_from_text(text: str) -> Cursor | None:
    """Raises InvalidValue: it came back through a page's address or a command line."""
    if not text:
        return None
    match = _CURSOR.fullmatch(text)
    if match is None or not text.isprintable():
        raise InvalidValue("page", text, "the cursor of the page before")
    try:
        return Cursor(time_from_ms(int(match[1])), match[2])
    except OverflowError:
        raise InvalidValue("page", text, "the cursor of the page before") from None


def _check_text(what: str, text: str) -> None:
    if not text.isprintable() or len(text) > TEXT_CHARS_MAX:
        raise InvalidValue(what, text, f"at most {TEXT_CHARS_MAX} printable characters")


def _is_indexed(question: CallQuestion, *numbers: NumberAsked | None) -> bool:
    if question.call_id or question.sip_call_id or question.line or question.account:
        return True
    return any(each is not None and each.form in (NumberForm.WHOLE, NumberForm.WORD) for each in numbers)


def _periods(question: CallQuestion, now: datetime, *, is_indexed: bool) -> tuple[Period, ...]:
    if question.at.strip():
        if question.since.strip() or question.until.strip():
            raise InvalidValue("time", question.at, "either a moment, or since and until")
        return tuple(_around(question, now))
    now = now.astimezone(UTC)
    until = now
    if question.until.strip():
        last = said(question.until, now, what="until")
        until = last.end or last.instants[-1]
    if question.since.strip():
        since = said(question.since, now, what="since").instants[0]
    elif is_indexed:
        since = BEGINNING
    else:
        since = until - (UNINDEXED_MAX if question.until.strip() else UNINDEXED_DEFAULT)
    if since > until:
        raise InvalidValue("since", question.since, f"a time before {shorten(question.until) or 'now'}")
    if not is_indexed and until - since > UNINDEXED_MAX:
        days = (until - since).days
        text = "at most 31 days; for more, name a number, a line, an account or an id"
        raise InvalidValue("time", f"{days} days", text)
    return (Period(since, until),)


def _around(question: CallQuestion, now: datetime) -> list[Period]:
    at = said(question.at, now)
    tolerance_s = question.tolerance_s
    if tolerance_s is None:
        tolerance_s = TOLERANCE_EXACT_S if at.has_seconds else TOLERANCE_S
    if not 1 <= tolerance_s <= TOLERANCE_MAX_S:
        raise InvalidValue("tolerance", f"{tolerance_s} seconds", "from a second to a day")
    return around(at, timedelta(seconds=tolerance_s))


def _cause(text: str) -> CauseAsked | None:
    typed = text.strip().lower()
    if not typed:
        return None
    if not typed.isprintable() or len(typed) > CAUSE_CHARS_MAX:
        raise InvalidValue("cause", text, f"at most {CAUSE_CHARS_MAX} printable characters")
    digits = typed.removeprefix("q.850").removeprefix("q850").removeprefix("sip").strip(" ;=")
    if not _NUMBER.fullmatch(digits):
        return CauseAsked(words=typed)
    value = int(digits)
    # No SIP status that ends anything is below 200, so the two do not meet.
    if SIP_STATUS_MIN <= value <= SIP_STATUS_MAX:
        return CauseAsked(sip_status=value)
    if 1 <= value <= Q850_MAX:
        return CauseAsked(q850_cause=value)
    raise InvalidValue(
        "cause", text, "a SIP status (200 to 699), a Q.850 cause (1 to 127) or words of the reason"
    )


def _words(asked: Understood) -> str:
    question = asked.question
    parts = [_time_words(asked)]
    named = (("from", asked.cli), ("to", asked.ddi), ("from or to", asked.number))
    parts += [f"{word} {each.words}" for word, each in named if each is not None]
    for word in ("line", "account", "trunk", "outcome"):
        if text := getattr(question, word):
            parts.append(f"{word} {shorten(text)}")
    if question.call_id:
        parts.append(f"call {shorten(question.call_id)}")
    if question.sip_call_id:
        parts.append(f"SIP Call-ID {shorten(question.sip_call_id)}")
    if asked.cause is not None:
        parts.append(_cause_words(asked.cause))
    parts += [words for kind, words in KIND_WORDS.items() if kind in question.kinds]
    if question.longer_than_s is not None:
        parts.append(f"longer than {question.longer_than_s} s")
    if question.shorter_than_s is not None:
        parts.append(f"answered and shorter than {question.shorter_than_s} s")
    return ", ".join(parts)


def _time_words(asked: Understood) -> str:
    first = asked.periods[0]
    if first.since == BEGINNING:
        return "at any time" if not asked.question.until.strip() else f"until {moment_words(first.until)}"
    return " and ".join(period_words(period) for period in asked.periods)


def _cause_words(cause: CauseAsked) -> str:
    if cause.sip_status is not None:
        return f"SIP {cause.sip_status}"
    if cause.q850_cause is not None:
        return f"Q.850 cause {cause.q850_cause}"
    return f"reason {shorten(cause.words)}"


def bounds(asked: Understood) -> tuple[datetime, datetime]:
    """The first and the last moment of all periods."""
    return asked.periods[0].since, asked.periods[-1].until
