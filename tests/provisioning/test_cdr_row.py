"""A CDR survives the way into a row and back."""

import pytest

from provisioning.cdr_row import CDR_COLUMNS, cdr_from_row, row_from_cdr, storable_row
from provisioning.utc import ms_from_time, time_from_ms
from tests.provisioning.records import AT_MS, cdr


def test_a_record_comes_back_from_its_row_as_it_was() -> None:
    for record in (cdr("c1"), cdr("c2", 3, ringing_at_ms=None, answered_at_ms=None, account_id=None)):
        row = dict(zip(CDR_COLUMNS, row_from_cdr(record), strict=True))
        assert cdr_from_row(row) == record


def test_times_are_exact_to_the_millisecond() -> None:
    for at_ms in (0, 1, -1, AT_MS, AT_MS + 999, 253_402_300_799_999):
        assert ms_from_time(time_from_ms(at_ms)) == at_ms


def test_a_time_that_no_calendar_has_is_an_overflow() -> None:
    with pytest.raises(OverflowError):
        row_from_cdr(cdr("c1", ended_at_ms=10**18))


def test_every_text_of_a_row_can_be_made_storable() -> None:
    row = storable_row(row_from_cdr(cdr("c1", dialled="0\0", user_agent="\udc80")))
    assert row[CDR_COLUMNS.index("dialled")] == "0\\x00"
    assert row[CDR_COLUMNS.index("user_agent")] == "\\x80"
    assert row[CDR_COLUMNS.index("leg")] == 0
