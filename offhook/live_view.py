"""How the switch's live tables (status, calls, registrations, subscriptions, messages, bans) are shown as text. Pure.

The switch owns what a row holds (switch/control.py). A field known here gets a heading and its unit; a field
that is not known is left to `--json`, except in `status`, which shows everything.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from offhook.moments import format_duration, format_moment
from offhook.output import Column
from provisioning.printable import shorten
from rating.money import format_pounds

Row = dict[str, Any]
LISTED_CHARS_MAX = 24


def _text(value: Any) -> str:
    return "" if value is None else str(value)


_WEEKDAYS = {"1": "Mon", "2": "Tue", "3": "Wed", "4": "Thu", "5": "Fri", "6": "Sat", "7": "Sun"}


def _pounds(value: Any) -> str:
    return format_pounds(value) if isinstance(value, int) else ""


def _duration(value: Any) -> str:
    return format_duration(int(value)) if isinstance(value, (int, float)) else ""


def _weekdays(every: Any) -> str:
    """Of a reminder that comes again: "0730:12345"."""
    days = str(every).partition(":")[2]
    return " ".join(_WEEKDAYS[day] for day in days if day in _WEEKDAYS)


def _moment(value: Any) -> str:
    return format_moment(int(value)) if isinstance(value, (int, float)) else ""


def _yes(value: Any) -> str:
    return "yes" if value else "no"


def _list(value: Any) -> str:
    """Each shortened and escaped: what a stranger wrote must not fill the line, nor move the cursor."""
    return (
        ", ".join(shorten(str(item), LISTED_CHARS_MAX) for item in value) if isinstance(value, list) else ""
    )


def _if_any(value: Any) -> str:
    return str(value) if value else ""


def _milliseconds(value: Any) -> str:
    """From microseconds; "" for none."""
    return f"{value / 1000:.1f} ms" if isinstance(value, int) and value else ""


def _mos(value: Any) -> str:
    return f"{value / 100:.2f}" if isinstance(value, int) and value else ""


def _counts(value: Any) -> str:
    """{"stranger": 3} as "stranger 3"."""
    if not isinstance(value, dict):
        return ""
    return ", ".join(f"{shorten(str(name), LISTED_CHARS_MAX)} {count}" for name, count in value.items())


class Field(msgspec.Struct, frozen=True):
    """One column: the key in the switch's row, the heading, how the value is written."""

    key: str
    title: str
    show: Callable[[Any], str] = _text
    is_right: bool = False


# By the ending of a status key: its unit.
UNIT_ENDINGS: tuple[tuple[str, Callable[[Any], str]], ...] = (
    ("_micros", _pounds),
    ("_at_ms", _moment),
)

CALL_FIELDS: tuple[Field, ...] = (
    Field("call_id", "id"),
    Field("state", "state"),
    Field("caller", "from"),
    Field("account", "account"),
    Field("cli", "cli"),
    Field("destination", "to"),
    Field("duration_s", "talked", _duration, is_right=True),
    Field("cost_micros", "cost", _pounds, is_right=True),
    Field("granted_s", "paid for", _duration, is_right=True),
)
REGISTRATION_FIELDS: tuple[Field, ...] = (
    Field("user", "user"),
    Field("contact", "contact"),
    Field("source", "from"),
    Field("expires_in_s", "expires in", _duration, is_right=True),
    Field("is_behind_nat", "behind nat", _yes),
    Field("is_dead", "silent", _yes),
    Field("user_agent", "phone"),
    Field("instance", "instance"),
    Field("reg_id", "flow", _if_any, is_right=True),
    Field("path_hops", "proxies", _if_any, is_right=True),
)

BAN_FIELDS: tuple[Field, ...] = (
    Field("source", "source"),
    Field("line", "only line"),
    Field("reason", "reason"),
    Field("failures", "failures", is_right=True),
    Field("times", "times", is_right=True),
    Field("since_ms", "since", _moment),
    Field("until_ms", "until", _moment),
    Field("users", "lines tried", _list),
)
STREAM_FIELDS: tuple[Field, ...] = (
    Field("call_id", "call"),
    Field("leg", "leg", is_right=True),
    Field("peer", "peer"),
    Field("codec", "codec"),
    Field("packets", "packets", is_right=True),
    Field("packets_sent", "sent", is_right=True),
    Field("lost", "lost", is_right=True),
    Field("jitter_us", "jitter", _milliseconds, is_right=True),
    Field("round_trip_us", "round trip", _milliseconds, is_right=True),
    Field("mos", "mos", _mos, is_right=True),
    Field("dropped", "dropped", _counts),
)
SUBSCRIPTION_FIELDS: tuple[Field, ...] = (
    Field("watcher", "user"),
    Field("package", "watches"),
    Field("resource", "of"),
    Field("source", "from"),
    Field("expires_in_s", "expires in", _duration, is_right=True),
    Field("notifies", "told", is_right=True),
    Field("is_waiting", "waiting", _yes),
    Field("contact", "contact"),
)
MESSAGE_FIELDS: tuple[Field, ...] = (
    Field("user", "user"),
    Field("waiting", "waiting", is_right=True),
    Field("octets", "octets", is_right=True),
    Field("oldest_at_ms", "oldest", _moment),
    Field("expires_at_ms", "first expires", _moment),
    Field("on_their_way", "on their way", is_right=True),
    Field("failures", "tries failed", is_right=True),
)

REMINDER_FIELDS: tuple[Field, ...] = (
    Field("line", "line"),
    Field("at_ms", "rings at", _moment),
    Field("tries", "tried", is_right=True),
    Field("every", "comes again", _weekdays),
)

QUEUE_FIELDS: tuple[Field, ...] = (
    Field("account", "account"),
    Field("name", "queue"),
    Field("waiting", "waiting", is_right=True),
    Field("ringing", "ringing", is_right=True),
    Field("longest_wait_s", "longest wait", _duration, is_right=True),
    Field("entered", "came", is_right=True),
    Field("answered", "answered", is_right=True),
    Field("gave_up", "gave up", is_right=True),
    Field("timed_out", "too long", is_right=True),
    Field("turned_away", "no room", is_right=True),
)


def table_of(fields: Sequence[Field], rows: Sequence[Row]) -> tuple[list[Column], list[list[str]]]:
    """The headings and cells of those fields that any row has."""
    present = [field for field in fields if any(field.key in row for row in rows)]
    heads = [Column(title=field.title, is_right=field.is_right) for field in present]
    cells = [[field.show(row.get(field.key)) for field in present] for row in rows]
    return heads, cells


def fact_rows(result: Any, *, prefix: str = "") -> list[tuple[str, str]]:
    """Every value of a nested answer as a name and a text; names are joined by a space."""
    if not isinstance(result, dict):
        return [(prefix, _value(prefix, result))]
    facts = []
    for key, value in result.items():
        name = f"{prefix} {_words(key)}".strip()
        if isinstance(value, dict):
            facts += fact_rows(value, prefix=name)
        else:
            facts.append((name, _value(key, value)))
    return facts


def _words(key: str) -> str:
    for ending, _ in UNIT_ENDINGS:
        key = key.removesuffix(ending)
    return key.replace("_", " ")


def _value(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_value("", item) for item in value) or "none"
    if isinstance(value, int):
        for ending, show in UNIT_ENDINGS:
            if key.endswith(ending):
                return show(value)
    return _text(value)
