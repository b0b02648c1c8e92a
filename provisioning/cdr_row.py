"""A CDR as a row of the table `cdrs` and back: the columns are the record's fields, by the same names.

Times are milliseconds in the record (`setup_at_ms`) and timestamps in the table (`setup_at`).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from provisioning.storable import storable
from provisioning.utc import ms_from_time, time_from_ms
from rating.records import Cdr

_FIELDS = [field.name for field in msgspec.structs.fields(Cdr)]
_TIME_INDEXES = [index for index, name in enumerate(_FIELDS) if name.endswith("_at_ms")]
CDR_COLUMNS = [name.removesuffix("_ms") if name.endswith("_at_ms") else name for name in _FIELDS]

Row = tuple[object, ...]


def row_from_cdr(cdr: Cdr) -> Row:
    """Raises OverflowError for a time outside the years 1 to 9999."""
    values: list[Any] = list(msgspec.structs.astuple(cdr))
    for index in _TIME_INDEXES:
        if values[index] is not None:
            values[index] = time_from_ms(values[index])
    return tuple(values)


def storable_row(row: Row) -> Row:
    """The same row with every text made storable."""
    return tuple(storable(value) if isinstance(value, str) else value for value in row)


def cdr_from_row(row: Mapping[str, object]) -> Cdr:
    values = [row[column] for column in CDR_COLUMNS]
    return Cdr(*[ms_from_time(value) if isinstance(value, datetime) else value for value in values])  # type: ignore[arg-type]
