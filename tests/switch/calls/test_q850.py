"""SIP status and Q.850 cause, and the Reason header between them."""

import pytest

from switch.calls.q850 import (
    CAUSE_OF_STATUS,
    STATUS_OF_CAUSE,
    cause_of_status,
    format_reason,
    passed_reason,
    read_reason,
    status_of_cause,
)
from switch.sip.message import REASON_PHRASES


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


@pytest.mark.parametrize(
    ("causes", "status"),
    [
        ((1, 2, 3, 26), 404),
        ((17,), 486),
        ((18,), 408),
        ((19, 20, 31), 480),
        ((21, 55, 57, 87), 403),
        ((22, 23), 410),
        ((27,), 502),
        ((28,), 484),
        ((29, 79), 501),
        ((34, 38, 41, 42, 47, 58, 88), 503),
        ((65, 70), 488),
        ((102,), 504),
        ((111, 127), 500),
        ((9, 25, 30), 480),  # no row: what is unspecified in its class
        ((35, 43), 503),
        ((49, 69, 100), 500),
    ],
)
def test_status_of_cause(causes: tuple[int, ...], status: int) -> None:
    assert {status_of_cause(cause) for cause in causes} == {status}


def test_every_status_in_the_tables_has_a_name() -> None:
    assert {*CAUSE_OF_STATUS, *STATUS_OF_CAUSE.values()} <= REASON_PHRASES.keys()


@pytest.mark.parametrize("cause", range(1, 128))
def test_any_cause_is_a_refusal_in_sip(cause: int) -> None:
    assert 400 <= status_of_cause(cause) < 600


@pytest.mark.parametrize(
    ("values", "passed"),
    [
        ([], ""),
        (['SIP;cause=200;text="Call completed elsewhere"'], 'SIP;cause=200;text="Call completed elsewhere"'),
        (["sip ; cause=200"], 'SIP;cause=200;text="Call completed elsewhere"'),
        (['SIP;cause=603;text="<script>"'], "SIP;cause=603"),
        (['Q.850;cause=31;text="x"', "SIP;cause=480"], "SIP;cause=480, Q.850;cause=31"),
        (["Q.850;cause=17", "Q.850;cause=18"], "Q.850;cause=17"),
        (["SIP;cause=199", "SIP;cause=700", "SIP;cause=1_0", "X;cause=200", "SIP"], ""),
        (["X;cause=1"] * 8 + ["Q.850;cause=17"], ""),
    ],
)
def test_what_of_a_peers_reason_crosses(values: list[str], passed: str) -> None:
    assert passed_reason(values) == passed
