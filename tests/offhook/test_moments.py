from datetime import UTC, datetime, timedelta, timezone

import pytest

from offhook.exit_codes import CommandError, ExitCode
from offhook.moments import format_duration, parse_moment

SUMMER = timezone(timedelta(hours=1), "BST")
NOW = datetime(2026, 7, 14, 9, 30, 15, tzinfo=SUMMER)


@pytest.mark.parametrize(
    ("typed", "utc"),
    [
        ("2026-07-13", datetime(2026, 7, 12, 23, 0, tzinfo=UTC)),
        ("2026-07-13 08:00", datetime(2026, 7, 13, 7, 0, tzinfo=UTC)),
        ("2026-07-13T08:00:00Z", datetime(2026, 7, 13, 8, 0, tzinfo=UTC)),
        ("today", datetime(2026, 7, 13, 23, 0, tzinfo=UTC)),
        ("Yesterday", datetime(2026, 7, 12, 23, 0, tzinfo=UTC)),
        ("90m", datetime(2026, 7, 14, 7, 0, 15, tzinfo=UTC)),
        ("7d", datetime(2026, 7, 7, 8, 30, 15, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_local(typed: str, utc: datetime) -> None:
    assert parse_moment(typed, now=NOW, option="--since") == utc


@pytest.mark.parametrize("typed", ["", "soon", "90", "90x", "2026-13-01", "999999d", "9999999m", "٣m", "-5m"])
def test_what_is_no_time_is_refused_with_what_was_expected(typed: str) -> None:
    with pytest.raises(CommandError, match=r"--since .*expected a time such as") as refused:
        parse_moment(typed, now=NOW, option="--since")
    assert refused.value.code is ExitCode.INVALID


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (9, "0:09"), (61, "1:01"), (3723, "1:02:03")])
def test_durations_read_as_on_a_phone(seconds: int, shown: str) -> None:
    assert format_duration(seconds) == shown
