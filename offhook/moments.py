"""Moments as people type and read them: "2026-11-22 09:30", "today", "90m". Pure: `now` comes in.

A time without a zone is the machine's own local time, and times are shown in it; `--json` has UTC
milliseconds.
"""

import re
from datetime import UTC, datetime, timedelta

from offhook.exit_codes import CommandError, ExitCode
from provisioning.printable import shorten

EXPECTED = (
    "a time such as 2026-11-22, 2026-11-22 09:30, 2026-11-22T09:30:00Z, today, yesterday, or 90m, 12h, 7d ago"
)
UNIT_SECONDS = {"m": 60, "h": 3600, "d": 86400}
AGO_DIGITS_MAX = 6

_AGO = re.compile(rf"([0-9]{{1,{AGO_DIGITS_MAX}}})([mhd])")


def parse_moment(text: str, *, now: datetime, option: str) -> datetime:
    """An aware time. `now` carries the local zone."""
    typed = text.strip().lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if typed == "today":
        return midnight
    if typed == "yesterday":
        return midnight - timedelta(days=1)
    try:
        if ago := _AGO.fullmatch(typed):
            return now - timedelta(seconds=int(ago[1]) * UNIT_SECONDS[ago[2]])
        moment = datetime.fromisoformat(text.strip())
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=now.tzinfo)
    except (ValueError, OverflowError):
        raise CommandError(f"{option} {shorten(text)!r}: expected {EXPECTED}", ExitCode.INVALID) from None


def format_moment(at_ms: int | None) -> str:
    """Local time to the second, "" for none."""
    if at_ms is None:
        return ""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def format_duration(seconds: int) -> str:
    """ "0:09", "1:02:03"."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def local_now() -> datetime:
    return datetime.now(UTC).astimezone()
