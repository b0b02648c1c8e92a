"""A period as people type it, in London's days: `--from 2026-10-01 --to 2026-10-31` is the whole of October."""

from datetime import datetime

from offhook.exit_codes import CommandError, ExitCode
from provisioning.utc import time_from_ms
from rating.calendar import CalendarProblem, parse_end_ms, parse_start_ms

Period = tuple[datetime, datetime]


def parse_period(since: str, until: str) -> Period:
    """Its first instant, and the one at which it is over: a date alone for its end is its last day."""
    first_ms, last_ms = _ms(since, "--from", is_end=False), _ms(until, "--to", is_end=True)
    if last_ms <= first_ms:
        raise CommandError(f"--to {until[:40]!r} ends before --from {since[:40]!r} begins", ExitCode.INVALID)
    return time_from_ms(first_ms), time_from_ms(last_ms)


def _ms(text: str, option: str, *, is_end: bool) -> int:
    try:
        return parse_end_ms(text) if is_end else parse_start_ms(text)
    except CalendarProblem as problem:
        raise CommandError(f"{option}: {problem}", ExitCode.INVALID) from None
