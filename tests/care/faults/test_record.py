"""A fault's clock and its references, without a database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from care.faults.conf import PLAIN_TERMS, load_terms
from care.faults.record import (
    HOUR_MS,
    Deadlines,
    EventKind,
    Fault,
    FaultEvent,
    FaultKind,
    FaultState,
    Place,
    Priority,
    clock_of,
)
from care.faults.reference import new_reference, read_reference
from offhook.supervisor.conf_home import packaged_conf
from provisioning.problems import InvalidValue
from provisioning.spoken_reference import LETTERS
from switch.conf_files import ConfProblems

FAULT = Fault(
    reference="F-7K3Q9", opened_at_ms=0, opened_by="sam", account="", account_id=None, reporter="", contact="", line="",
    time_code="", cli="", ddi="", kind=FaultKind.OTHER, words="", priority=Priority.NORMAL, state=FaultState.OPEN,
    place=Place.UNKNOWN, answered_at_ms=None, restored_at_ms=None, closed_at_ms=None,
)  # fmt: skip
TERMS = Deadlines(answer_h=2, restore_h=8)

# events, each hour:what                     now  open paused  answer due  repair due  late
CLOCKS = """
-                                            1    1    0       2           8           -
-                                            3    3    0       2           8           answer
1:note                                       3    3    0       2           8           answer
1:answer                                     3    3    0       -           8           -
1:check                                      3    3    0       -           8           -
1:waiting                                    5    5    4       -           -           -
1:waiting 5:open                             6    6    4       -           12          -
1:waiting 5:with-engineer                    13   13   4       -           12          repair
1:with-carrier                               3    3    0       2           8           answer
1:answer 2:fixed                             9    2    0       -           -           -
1:answer 9:fixed                             10   9    0       -           -           repair
1:answer 2:closed 20:open                    22   4    0       -           26          -
3:answer                                     4    4    0       -           8           answer
1:waiting 3:answer 5:open                    6    6    4       -           12          -
"""


def events_of(text: str) -> list[FaultEvent]:
    found = []
    for number, each in enumerate(text.split() if text != "-" else [], 1):
        hour, _, what = each.partition(":")
        kind = EventKind(what) if what in ("note", "answer", "check") else EventKind.STATE
        value = what if kind is EventKind.STATE else ""
        found.append(FaultEvent(number, int(hour) * HOUR_MS, "sam", kind, value, ""))
    return found


@pytest.mark.parametrize("row", CLOCKS.strip().split("\n"))
def test_the_clock_runs_until_it_is_restored_and_stands_while_the_customer_is_waited_for(row: str) -> None:
    text, *columns = row[:45].strip(), *row[45:].split()
    now, open_h, paused_h, answer_due, restore_due, late = columns
    clock = clock_of(FAULT, events_of(text), TERMS, int(now) * HOUR_MS)
    assert (clock.open_ms, clock.paused_ms) == (int(open_h) * HOUR_MS, int(paused_h) * HOUR_MS)
    due = [None if each == "-" else int(each) * HOUR_MS for each in (answer_due, restore_due)]
    assert [clock.answer_due_at_ms, clock.restore_due_at_ms] == due
    assert (clock.is_answered_late, clock.is_restored_late) == (late == "answer", late == "repair")
    assert clock.is_late == (late != "-")


STATES = st.lists(st.tuples(st.integers(1, 5), st.sampled_from([*FaultState])), max_size=8)


@given(STATES, st.integers(0, 10))
def test_time_is_open_or_not_and_never_lost(changes: list[tuple[int, FaultState]], later: int) -> None:
    events, hour, running, paused, stopped, state = [], 0, 0, 0, 0, FaultState.OPEN
    for number, (gap, new) in enumerate([*changes, (later, FaultState.OPEN)], 1):
        match state:
            case FaultState.WAITING:
                paused += gap
            case FaultState.FIXED | FaultState.CLOSED:
                stopped += gap
            case _:
                running += gap
        hour, state = hour + gap, new
        events.append(FaultEvent(number, hour * HOUR_MS, "sam", EventKind.STATE, new.value, ""))
    clock = clock_of(FAULT, events[:-1], TERMS, hour * HOUR_MS)
    assert clock.paused_ms == paused * HOUR_MS
    assert clock.open_ms == (running + paused) * HOUR_MS
    assert running + paused + stopped == hour
    assert clock.is_restored_late == (running > TERMS.restore_h)


@pytest.mark.parametrize("text", ["F-7K3Q9", "f-7k3q9", "7K3Q9", " f 7k3 q9 "])
def test_a_reference_is_read_as_it_is_said(text: str) -> None:
    assert read_reference(text) == "F-7K3Q9"


@pytest.mark.parametrize(
    "text", ["", "F-", "F-0K3Q9", "F-7K3Q", "F-7K3Q99", "F-7I3Q9", "F-7U3Q9", "\u06f7K3Q9", "' OR 1"]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        read_reference(text)


def test_references_are_of_letters_that_are_not_mistaken_on_the_telephone() -> None:
    made = {new_reference() for _ in range(500)}
    assert len(made) > 495
    assert all(read_reference(each) == each for each in made)
    assert not set("01ILOU") & set(LETTERS)


def test_the_shipped_terms_are_those_without_a_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert load_terms(packaged_conf()) == PLAIN_TERMS == load_terms(tmp_path)


def test_a_mistake_in_the_file_is_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "faults.toml").write_text("[urgent]\nanswer_h = 0\n[nobody]\n", encoding="utf-8")
    with pytest.raises(ConfProblems) as found:
        load_terms(tmp_path)
    assert "answer_h" in str(found.value)
    assert "nobody" in str(found.value)
