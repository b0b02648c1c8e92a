"""SIP status and Q.850 cause, and the Reason header between them."""

import pytest

from switch.calls.q850 import CAUSE_OF_STATUS, cause_of_status, format_reason, read_reason


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (200, 16),
        (404, 1),
        (408, 102),
        (480, 18),
        (484, 28),
        (486, 17),
        (487, 16),
        (500, 41),
        (503, 41),
        (600, 17),
        (603, 21),
        (699, 127),
    ],
)
def test_cause_of_status(status: int, cause: int) -> None:
    assert cause_of_status(status) == cause


def test_every_cause_in_the_table_is_a_q850_cause() -> None:
    assert all(1 <= cause <= 127 for cause in CAUSE_OF_STATUS.values())


@pytest.mark.parametrize(
    ("values", "cause"),
    [
        (["Q.850;cause=17"], 17),
        (["SIP;cause=200", 'q.850 ; cause = 26 ;text="x"'], 26),
        (["Q.850;cause=0"], None),
        (["Q.850;cause=128"], None),
        (["Q.850;cause=1_7"], None),
        (["Q.850;cause=٣"], None),
        (["Q.850;cause=" + "9" * 5000], None),
        (["Q.850"], None),
        ([], None),
    ],
)
def test_read_reason(values: list[str], cause: int | None) -> None:
    assert read_reason(values) == cause


def test_what_is_written_can_be_read() -> None:
    assert read_reason([format_reason(31, "normal, unspecified")]) == 31
