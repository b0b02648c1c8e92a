"""Whom to try next, and what the caller is told when everybody failed."""

import pytest

from switch.calls.callee_leg import LegOutcome
from switch.calls.hunt import UNREACHABLE, Hunt, best_outcome, may_fail_over, status_for_caller
from switch.calls.target import TrunkTarget
from switch.sip.flow import Flow
from tests.switch.house import make_trunk

TRUNK = TrunkTarget(make_trunk("one", "192.0.2.50"), Flow("UDP", "192.0.2.50", 5060, "192.0.2.1", 5060))


def outcome(status: int, *, is_ours: bool = False) -> LegOutcome:
    return LegOutcome(status, 41, "", is_ours=is_ours)


@pytest.mark.parametrize(
    ("statuses", "best"),
    [
        ([486, 480], 486),
        ([480, 486], 486),
        ([404, 486], 486),
        ([503, 486], 486),
        ([603, 486], 603),
        ([500, 404], 404),
        ([600, 603], 600),
    ],
)
def test_best_outcome(statuses: list[int], best: int) -> None:
    assert best_outcome([outcome(status) for status in statuses]).status == best


def test_a_peers_word_goes_before_our_own_time_out() -> None:
    assert best_outcome([outcome(408, is_ours=True), outcome(503)]).status == 503


def test_nothing_tried_is_unreachable() -> None:
    assert best_outcome([]) is UNREACHABLE


@pytest.mark.parametrize(
    ("status", "has_rung", "may"),
    [
        (503, False, True),
        (408, False, True),
        (500, False, True),
        (503, True, False),
        (486, False, False),
        (404, False, False),
    ],
)
def test_failover_by_the_trunks_codes_and_never_after_ringing(status: int, has_rung: bool, may: bool) -> None:
    assert may_fail_over(TRUNK, outcome(status), has_rung=has_rung) is may


def test_stages_come_in_order_and_end() -> None:
    hunt = Hunt([[TRUNK], [TRUNK, TRUNK]])
    assert hunt.next_stage() == [TRUNK]
    assert hunt.is_serial
    assert hunt.next_stage() == [TRUNK, TRUNK]
    assert not hunt.is_serial
    assert hunt.next_stage() is None


@pytest.mark.parametrize(
    ("status", "cause", "heard"),
    [
        (500, 1, 404),  # a gateway that says in Reason what its status does not
        (503, 17, 486),
        (503, 34, 500),
        (503, 41, 500),
        (502, 38, 502),
        (480, 17, 480),
        (404, 17, 404),
        (302, 23, 480),
        (401, 21, 500),
        (420, 127, 500),
        (421, 127, 500),
        (422, 127, 500),
        (494, 127, 500),
        (415, 79, 415),
        (488, 65, 488),
        (493, 41, 493),
        (603, 21, 603),
    ],
)
def test_what_the_caller_hears_of_a_refusal(status: int, cause: int, heard: int) -> None:
    assert status_for_caller(LegOutcome(status, cause, "")) == heard
