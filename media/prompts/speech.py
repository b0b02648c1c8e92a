"""Numbers, telephone numbers, times and counts as names of the prompts that say them, in order, in British English.

Pure: a moment is given with the moment it is seen from. Another language may be recorded under the same names and is
then spoken in this order; one whose grammar needs another order would be a second file like this.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

NUMBER_MAX: Final = 999
# A telephone number has 15 digits at most (E.164 6.2.1); a SIP user name of digits may be longer, and is cut.
DIGITS_MAX: Final = 20
KEYS: Final = "0123456789"

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
PAUSE: Final = "pause"


def number(value: int) -> tuple[str, ...]:
    """Twelve; three hundred and twelve. Raises ValueError beyond 0 to 999, for which there are no words."""
    if not 0 <= value <= NUMBER_MAX:
        raise ValueError(f"{value} cannot be spoken; expected 0 to {NUMBER_MAX}")
    hundreds, rest = divmod(value, 100)
    if not hundreds:
        return (f"number-{rest}",)
    said = (f"number-{hundreds}", "hundred")
    return (*said, "and", f"number-{rest}") if rest else said


def digits(telephone_number: str) -> tuple[str, ...]:
    """A telephone number digit by digit, with a pause where people make one; +44 is said as 0.

    () for what has no digits; whatever is not a digit is left out.
    """
    national = telephone_number
    is_british = national.startswith("+44")
    if is_british:
        national = "0" + national[3:]
    kept = "".join(character for character in national if character in KEYS)[:DIGITS_MAX]
    said = ["plus"] if national.startswith("+") and kept else []
    for group in _groups(kept):
        if said and said[-1] != "plus":
            said.append(PAUSE)
        said += [f"digit-{digit}" for digit in group]
    return tuple(said)


def _groups(national: str) -> Iterator[str]:
    """020 7946 0123, 0121 496 0123, 01632 960 123, 07700 900 123 (Ofcom's way of writing); others in threes."""
    sizes: tuple[int, ...] = ()
    if national.startswith("0") and len(national) == 11:
        if national.startswith("02"):
            sizes = (3, 4, 4)
        elif national.startswith(("03", "08", "09", "011")) or (national[1] == "1" and national[3] == "1"):
            sizes = (4, 3, 4)
        else:
            sizes = (5, 3, 3)
    position = 0
    for size in sizes:
        yield national[position : position + size]
        position += size
    while position < len(national):
        # No digit is left alone at the end.
        size = 4 if len(national) - position == 4 else 3
        yield national[position : position + size]
        position += size


def moment(at: datetime, seen_from: datetime) -> tuple[str, ...]:
    """Today at ten fifteen a.m.; at ten fifteen a.m. on Tuesday, the third of March. Both in the listener's zone.

    Reminders are spoken of, too, so it may lie ahead.
    """
    day = at.date()
    today = seen_from.date()
    if day == today:
        return ("today", "at", *time_of_day(at))
    if day == today - timedelta(days=1):
        return ("yesterday", "at", *time_of_day(at))
    if day == today + timedelta(days=1):
        return ("tomorrow", "at", *time_of_day(at))
    return ("at", *time_of_day(at), "on", *date(at))


def time_of_day(at: datetime) -> tuple[str, ...]:
    """By the twelve-hour clock: ten a.m., ten oh five a.m., twelve thirty p.m."""
    half = "am" if at.hour < 12 else "pm"
    hour = f"number-{at.hour % 12 or 12}"
    if not at.minute:
        return (hour, half)
    minute = (f"number-{at.minute}",) if at.minute > 9 else ("oh", f"number-{at.minute}")
    return (hour, *minute, half)


def date(at: datetime) -> tuple[str, ...]:
    """Tuesday, the third of March. Messages are not kept for a year, so the year is left out."""
    return (_WEEKDAYS[at.weekday()], f"day-{at.day}", "of", _MONTHS[at.month - 1])


def counts(new: int, saved: int) -> tuple[str, ...]:
    """You have one new message and twelve saved messages."""
    if not new and not saved:
        return ("you-have", "no-messages")
    if not saved:
        return ("you-have", *_count(new, "new"))
    if not new:
        return ("you-have", "no-new-messages", "and", *_count(saved, "saved"))
    return ("you-have", *_count(new, "new"), "and", *_count(saved, "saved"))


def _count(count: int, kind: str) -> tuple[str, ...]:
    return (f"one-{kind}-message",) if count == 1 else (*number(min(count, NUMBER_MAX)), f"{kind}-messages")


def choice(what: str, key: str) -> tuple[str, ...]:
    """A line of a menu: "To listen again," "press 1." Raises KeyError for what is no key."""
    if key in KEYS and len(key) == 1:
        return (what, f"press-{key}")
    return (what, {"*": "press-star", "#": "press-hash"}[key])
