"""A registration event as a row of the table `registration_events` and back, as cdr_row.py does it for a CDR."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from provisioning.cdr_row import Row
from provisioning.utc import ms_from_time, time_from_ms
from rating.records import RegistrationEvent

# How long rows are kept, unless offhook.toml says otherwise: a quarter, as bills are asked about that long.
HISTORY_DAYS: Final = 90

_FIELDS = [field.name for field in msgspec.structs.fields(RegistrationEvent)]
_AT = _FIELDS.index("at_ms")
REGISTRATION_COLUMNS = ["at" if name == "at_ms" else name for name in _FIELDS]


def row_from_registration(event: RegistrationEvent) -> Row:
    """Raises OverflowError for a time outside the years 1 to 9999."""
    values: list[Any] = list(msgspec.structs.astuple(event))
    values[_AT] = time_from_ms(values[_AT])
    return tuple(values)


def registration_from_row(row: Mapping[str, object]) -> RegistrationEvent:
    values = [row[column] for column in REGISTRATION_COLUMNS]
    return RegistrationEvent(
        *[ms_from_time(value) if isinstance(value, datetime) else value for value in values]  # type: ignore[arg-type]
    )
