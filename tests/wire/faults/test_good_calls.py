"""Two hundred good calls of all kinds, none of which may be called a fault."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from care.explanation.explanation import Explanation, explain
from care.story import CallStory
from provisioning.views import CdrView
from tests.wire.faults.desk import Desk
from tests.wire.faults.explained import patterns, stories_of
from tests.wire.faults.good_calls import KINDS, Kind

# Half of them SIPps that mostly wait, half of them phones that speak.
AT_ONCE: Final = 8
CALLS_LEAST: Final = 200
HEARD_LEAST: Final = 120
HEARD_BY_PHONES_LEAST: Final = 20


@pytest.fixture(scope="module")
def problems(desk: Desk) -> dict[str, str]:
    """All calls are made at once; kinds whose calls did not go as they should, and why."""

    def make(kind: Kind) -> str:
        try:
            kind.make(desk)
        except Exception as error:  # noqa: BLE001 - the kind's own test says it
            return f"{type(error).__name__}: {error}"
        return ""

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip((kind.name for kind in KINDS), pool.map(make, KINDS), strict=True))
    desk.wait_for_figures()
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_calls_go_well(problems: dict[str, str], kind: Kind) -> None:
    assert not problems[kind.name]


@pytest.fixture(scope="module")
def stories(desk: Desk, problems: dict[str, str]) -> dict[str, CallStory]:
    """Every call that the exchange has on record."""
    assert set(problems) == {kind.name for kind in KINDS}
    return stories_of(desk, desk.call_ids())


@pytest.fixture(scope="module")
def said(stories: dict[str, CallStory]) -> dict[str, Explanation]:
    known = patterns()
    return {call_id: explain(story, known) for call_id, story in stories.items()}


def test_they_are_two_hundred(said: dict[str, Explanation]) -> None:
    assert sum(kind.calls for kind in KINDS) >= CALLS_LEAST
    assert len(said) >= CALLS_LEAST


def test_most_were_heard_both_ways(stories: dict[str, CallStory]) -> None:
    """Otherwise that nothing is found wrong with the sound would say little."""
    heard = [story for story in stories.values() if sum(_has_sound(view) for view in story.legs) >= 2]
    by_phones = [story for story in heard if "pjsua2" in story.legs[0].cdr.user_agent]
    assert len(heard) >= HEARD_LEAST
    assert len(by_phones) >= HEARD_BY_PHONES_LEAST


def _has_sound(view: CdrView) -> bool:
    return any(figures.packets for figures in view.media)


def test_none_is_called_a_fault(said: dict[str, Explanation]) -> None:
    wrong = {call_id: one for call_id, one in said.items() if one.findings}
    kinds = Counter(one.findings[0].name for one in wrong.values())
    assert not wrong, f"{dict(kinds)}: {next(iter(wrong.values())).paragraph}"
