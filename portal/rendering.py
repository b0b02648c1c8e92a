"""Pages from templates. Everything that a template shows is escaped, twice where it must be.

Jinja2's autoescape is on for every template, whatever its name. Before it, characters that do not show (controls,
marks that turn the direction of writing) become visible ones, so that nothing reads as what it is not.
"""

import datetime
import hashlib
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from billing.invoices.wording import shown_number
from care.ladder.svg_shapes import STYLE
from provisioning.printable import escape_control
from rating.money import format_pounds

HERE: Final = Path(__file__).parent
ZONE: Final = ZoneInfo("Europe/London")
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class Pages:
    """Templates by name, and what stands on every page."""

    __slots__ = ("_environment", "icon", "stylesheet", "stylesheet_mark")

    def __init__(self, provider: str) -> None:
        # The pictures' own style stands in it, too: none may stand in a page (portal/door.py).
        self.stylesheet = (HERE / "static" / "portal.css").read_bytes() + STYLE.encode()
        self.icon = (HERE / "static" / "icon.svg").read_bytes()
        # A new stylesheet has a new address, so that browsers may keep it.
        self.stylesheet_mark = hashlib.sha256(self.stylesheet).hexdigest()[:12]
        environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=shown,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals.update(
            provider=provider, stylesheet_mark=self.stylesheet_mark, newline=Markup("\n")
        )
        environment.filters.update(
            moment=moment,
            date=date,
            clock=clock,
            day=day,
            duration=duration,
            pounds=pounds,
            seconds=seconds,
            number=number,
            where=where,
            span=span,
            lines=lines,
        )
        self._environment = environment

    def render(self, template: str, **values: Any) -> bytes:
        text = self._environment.get_template(template).render(values)
        return text.encode("utf-8", "backslashreplace")


def shown(value: object) -> object:
    """What a template puts out, made visible; markup of ours stays."""
    if value is None:
        return ""
    return escape_control(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def london(at_ms: int) -> datetime.datetime:
    return (_EPOCH + datetime.timedelta(milliseconds=at_ms)).astimezone(ZONE)


def moment(at_ms: int | None) -> str:
    """ "Sun 22 Nov 2026 10:15:09", in London's time. In the doubled hour with its zone."""
    if at_ms is None:
        return ""
    at = london(at_ms)
    return f"{at:%a} {at.day} {at:%b %Y %H:%M:%S}{_zone_where_doubled(at)}"


def date(on: datetime.date) -> str:
    """ "Mon 13 Jul 2026"."""
    return f"{on:%a} {on.day} {on:%b %Y}"


def clock(at_ms: int | None) -> str:
    """ "10:15:09.123"."""
    return "" if at_ms is None else f"{london(at_ms):%H:%M:%S}.{at_ms % 1000:03d}"


def day(at_ms: int) -> str:
    at = london(at_ms)
    return f"{at:%a} {at.day} {at:%b}"


def number(text: str) -> str:
    """ "020 7946 0123" for +442079460123; what is none stands as it is."""
    return shown_number(text) if text.startswith("+") else text


def span(duration_ms: int) -> str:
    """ "45 s", "12 min", "5 h 20 min", "3 days 2 h"."""
    whole = duration_ms // 1000
    if whole < 120:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if hours < 1:
        return f"{minutes} min"
    if days < 2:
        return f"{hours} h {minutes % 60} min"
    return f"{days} days {hours % 24} h"


def lines(text: str) -> Markup:
    """Several lines as they were typed: a line end is the one control character that stays."""
    return Markup("\n").join(escape_control(line) for line in text.split("\n"))


def where(place: object) -> str:
    """Where a fault lies: an Enum of the explanation's, or its words."""
    return str(getattr(place, "value", place))


def duration(duration_ms: int | None) -> str:
    """ "0:09", "1:02:03"."""
    if duration_ms is None:
        return ""
    minutes, rest = divmod(duration_ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def seconds(duration_ms: int | None) -> str:
    """ "0.85 s"."""
    return "" if duration_ms is None else f"{duration_ms / 1000:.2f} s"


def pounds(micros: int | None) -> str:
    """ "£0.0124"; "" for none."""
    return "" if micros is None else format_pounds(micros)


def _zone_where_doubled(at: datetime.datetime) -> str:
    other = at.replace(fold=1 - at.fold)
    return f" {at:%Z}" if other.utcoffset() != at.utcoffset() else ""
