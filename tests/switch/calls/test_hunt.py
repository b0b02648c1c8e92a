"""Whom to try next, and what the caller is told when everybody failed."""

import pytest

from switch.calls.callee_leg import LegOutcome
from switch.calls.hunt import UNREACHABLE, Hunt, best_outcome, may_fail_over
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
