"""Days and months as commands of billing take them. The clock is read here and in no other place of theirs."""

import datetime
import re
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from offhook.exit_codes import CommandError, ExitCode
from provisioning.printable import shorten

if TYPE_CHECKING:
    from billing.invoices.run import Period

ZONE: Final = ZoneInfo("Europe/London")
_MONTH: Final = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")
_DAY: Final = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")


def london_today() -> datetime.date:
    return datetime.datetime.now(ZONE).date()


def parse_month(text: str) -> "Period":
    """ "2026-10". Raises CommandError."""
    from billing.invoices.run import month_period  # noqa: PLC0415 - a command costs what it imports

    match = _MONTH.fullmatch(text)
    if match is None:
        raise CommandError(f"--month {shorten(text)!r}: expected a month such as 2026-10", ExitCode.INVALID)
    return month_period(int(match[1]), int(match[2]))


def parse_day(text: str, *, option: str) -> datetime.date:
    """ "2026-10-31". Raises CommandError."""
    try:
        if _DAY.fullmatch(text):
            return datetime.date.fromisoformat(text)
    except ValueError:
        pass
    raise CommandError(f"{option} {shorten(text)!r}: expected a day such as 2026-10-31", ExitCode.INVALID)


def day_or(text: str, *, option: str, otherwise: datetime.date) -> datetime.date:
    """The day that was typed, else the other one. Raises CommandError."""
    return parse_day(text, option=option) if text else otherwise
