"""The figures of a call's sound as a row of the table `call_media` and back, as cdr_row.py does it for a CDR."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from provisioning.cdr_row import Row
from provisioning.utc import ms_from_time, time_from_ms
from rating.records import MediaFigures

_FIELDS = [field.name for field in msgspec.structs.fields(MediaFigures)]
_ENDED = _FIELDS.index("ended_at_ms")
MEDIA_COLUMNS = [name.removesuffix("_ms") if name == "ended_at_ms" else name for name in _FIELDS]


def row_from_media(figures: MediaFigures) -> Row:
    """Raises OverflowError for a time outside the years 1 to 9999."""
    values: list[Any] = list(msgspec.structs.astuple(figures))
    values[_ENDED] = time_from_ms(values[_ENDED])
    return tuple(values)


def media_from_row(row: Mapping[str, object]) -> MediaFigures:
    values = [row[column] for column in MEDIA_COLUMNS]
    return MediaFigures(*[ms_from_time(value) if isinstance(value, datetime) else value for value in values])  # type: ignore[arg-type]
