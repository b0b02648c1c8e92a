"""Times as exports have them: UTC, ISO 8601, with as many decimals as are known."""

from datetime import UTC, datetime, timedelta


def utc_text(at_us: int) -> str:
    """ "2026-01-01T10:15:00.123456Z"."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06}Z"


def utc_text_ms(at_ms: int | None) -> str:
    """ "2026-01-01T10:15:00.123Z", "" for none."""
    return "" if at_ms is None else f"{utc_text(at_ms * 1000)[:-4]}Z"
