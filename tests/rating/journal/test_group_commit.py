"""When frames become a transaction: pacing, lingering, coalescing, retrying. `now` is moved by hand."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.journal.group_commit import (
    BATCH_BYTES_MAX,
    COMMIT_SPACING_S,
    LINGER_S,
    PENDING_BYTES_MAX,
    RETRY_FIRST_S,
    RETRY_MAX_S,
    Batch,
    GroupCommit,
    SequenceGapError,
)
from rating.journal.messages import Append, StatePut

EPSILON = 1e-6


def append(
    pacing: GroupCommit,
    now: float,
    *,
    is_urgent: bool = False,
    puts: list[StatePut] | None = None,
    frame_bytes: int = 100,
) -> None:
    """The next frame in sequence; its only record is its number."""
    seq = pacing.received_seq + 1
    frame = Append(seq, is_urgent, puts or [], [b"%d" % seq])
    pacing.receive(frame, frame_bytes=frame_bytes, now=now)


def commit(pacing: GroupCommit, now: float) -> Batch:
    batch = pacing.take(now)
    assert batch is not None
    pacing.committed(batch, now)
    return batch


def test_an_urgent_frame_is_due_at_once() -> None:
    pacing = GroupCommit(0)
    append(pacing, 1.0, is_urgent=True)
    assert pacing.due_at() == 1.0
    assert commit(pacing, 1.0).last_seq == 1
    assert pacing.is_empty
    assert pacing.due_at() is None


def test_a_frame_that_is_not_urgent_lingers() -> None:
    pacing = GroupCommit(0)
    append(pacing, 1.0)
    assert pacing.take(1.0 + LINGER_S - EPSILON) is None
    assert commit(pacing, 1.0 + LINGER_S).last_seq == 1


def test_lingering_is_counted_from_the_oldest_frame() -> None:
    pacing = GroupCommit(0)
    append(pacing, 1.0)
    append(pacing, 1.0 + LINGER_S / 2)
    assert pacing.due_at() == 1.0 + LINGER_S


def test_an_urgent_frame_takes_along_those_that_linger() -> None:
    pacing = GroupCommit(0)
    append(pacing, 1.0)
    append(pacing, 1.001, is_urgent=True)
    assert commit(pacing, 1.001).outbox == [b"1", b"2"]


def test_the_next_urgent_frame_waits_for_the_spacing() -> None:
    pacing = GroupCommit(0)
    append(pacing, 1.0, is_urgent=True)
    commit(pacing, 1.0)
    append(pacing, 1.001, is_urgent=True)
    assert pacing.due_at() == 1.0 + COMMIT_SPACING_S
    assert pacing.take(1.002) is None
    assert commit(pacing, 1.0 + COMMIT_SPACING_S).last_seq == 2


def test_nothing_that_arrives_within_the_spacing_could_be_committed() -> None:
    pacing = GroupCommit(0)
    assert pacing.deaf_until() < 0
    append(pacing, 1.0, is_urgent=True)
    commit(pacing, 1.0)
    assert pacing.deaf_until() == 1.0 + COMMIT_SPACING_S


def test_an_urgent_frame_after_an_idle_time_does_not_wait() -> None:
    pacing = GroupCommit(0)
    append(pacing, 1.0, is_urgent=True)
    commit(pacing, 1.0)
    append(pacing, 5.0, is_urgent=True)
    assert pacing.due_at() == 5.0


def test_the_newest_value_of_a_key_is_written_once() -> None:
    pacing = GroupCommit(0)
    append(pacing, 1.0, puts=[("a", b"1"), ("b", b"1")])
    append(pacing, 1.0, puts=[("a", b"2"), ("b", None)])
    append(pacing, 1.0, puts=[("c", None), ("c", b"3")], is_urgent=True)
    assert commit(pacing, 1.0).puts == {"a": b"2", "b": None, "c": b"3"}


def test_frames_sent_again_are_ignored() -> None:
    pacing = GroupCommit(5)
    pacing.receive(Append(5, True, [("a", b"old")], [b"5"]), frame_bytes=10, now=1.0)
    assert pacing.is_empty
    append(pacing, 1.0, is_urgent=True)
    pacing.receive(Append(6, True, [], [b"again"]), frame_bytes=10, now=1.0)
    assert commit(pacing, 1.0).outbox == [b"6"]


def test_a_gap_in_the_sequence_is_an_error() -> None:
    pacing = GroupCommit(5)
    with pytest.raises(SequenceGapError, match="frame 7 follows frame 5"):
        pacing.receive(Append(7, True, [], []), frame_bytes=10, now=1.0)


def test_a_batch_is_bounded_and_the_rest_is_due_next() -> None:
    pacing = GroupCommit(0)
    for _ in range(3):
        append(pacing, 1.0, frame_bytes=BATCH_BYTES_MAX // 2)
    assert commit(pacing, 1.0 + LINGER_S).last_seq == 2
    assert pacing.due_at() == 1.0 + LINGER_S + COMMIT_SPACING_S
    assert commit(pacing, 1.0 + LINGER_S + COMMIT_SPACING_S).last_seq == 3


def test_a_frame_larger_than_a_batch_is_a_batch_of_its_own() -> None:
    pacing = GroupCommit(0)
    append(pacing, 1.0, frame_bytes=2 * BATCH_BYTES_MAX, is_urgent=True)
    append(pacing, 1.0, is_urgent=True)
    assert commit(pacing, 1.0).frames == 1


def test_a_failed_batch_is_kept_and_tried_again_later_and_later() -> None:
    pacing = GroupCommit(0)
    append(pacing, 1.0, is_urgent=True)
    now, waits = 1.0, []
    for _ in range(8):
        assert pacing.take(now) is not None
        pacing.failed(now)
        due_at = pacing.due_at()
        assert due_at is not None
        waits.append(round(due_at - now, 6))
        now = due_at
    assert waits == [RETRY_FIRST_S, 0.1, 0.2, 0.4, 0.8, RETRY_MAX_S, RETRY_MAX_S, RETRY_MAX_S]
    append(pacing, now)
    assert commit(pacing, now).outbox == [b"1", b"2"]


def test_after_recovery_the_waiting_starts_small_again() -> None:
    pacing = GroupCommit(0)
    append(pacing, 1.0, is_urgent=True)
    for now in (1.0, 2.0, 3.0):
        pacing.take(now)
        pacing.failed(now)
    commit(pacing, 5.0)
    append(pacing, 6.0, is_urgent=True)
    pacing.take(6.0)
    pacing.failed(6.0)
    assert pacing.due_at() == 6.0 + RETRY_FIRST_S


def test_it_listens_while_it_retries() -> None:
    pacing = GroupCommit(0)
    append(pacing, 1.0, is_urgent=True)
    pacing.take(1.0)
    pacing.failed(1.0)
    assert pacing.deaf_until() < 1.0


def test_what_waits_in_memory_is_bounded() -> None:
    pacing = GroupCommit(0)
    append(pacing, 1.0, frame_bytes=PENDING_BYTES_MAX - 1)
    assert pacing.has_room
    append(pacing, 1.0, frame_bytes=1)
    assert not pacing.has_room
    commit(pacing, 2.0)
    assert pacing.has_room


def test_at_the_end_everything_is_due_without_spacing() -> None:
    pacing = GroupCommit(0)
    append(pacing, 1.0, is_urgent=True)
    commit(pacing, 1.0)
    append(pacing, 1.001, frame_bytes=BATCH_BYTES_MAX)
    append(pacing, 1.001, frame_bytes=BATCH_BYTES_MAX)
    pacing.finish(1.001)
    assert commit(pacing, 1.001).last_seq == 2
    assert commit(pacing, 1.001).last_seq == 3
    assert pacing.is_empty


def test_at_the_end_a_failing_disk_is_still_not_hammered() -> None:
    pacing = GroupCommit(0)
    append(pacing, 1.0, is_urgent=True)
    pacing.take(1.0)
    pacing.failed(1.0)
    pacing.finish(1.01)
    assert pacing.due_at() == 1.0 + RETRY_FIRST_S


Step = tuple[str, float]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["urgent", "lazy", "again", "huge", "commit", "fail"]),
        st.floats(0.0, 0.05, allow_nan=False),
    ),
    max_size=120,
)


@given(STEPS)
def test_whatever_happens_every_frame_is_committed_once_in_order_and_paced(steps: list[Step]) -> None:
    pacing, now = GroupCommit(0), 0.0
    written: list[bytes] = []
    commits: list[float] = []

    def attempt(*, fails: bool) -> None:
        batch = pacing.take(now)
        if batch is None:
            return
        commits.append(now)
        if fails:
            pacing.failed(now)
        else:
            pacing.committed(batch, now)
            written.extend(batch.outbox)

    for kind, pause in steps:
        now += pause
        match kind:
            case "urgent" | "lazy":
                append(pacing, now, is_urgent=kind == "urgent")
            case "huge":
                append(pacing, now, frame_bytes=BATCH_BYTES_MAX - 50)
            case "again":
                seq = max(pacing.received_seq - 2, 0)
                pacing.receive(Append(seq, True, [], [b"again"]), frame_bytes=9, now=now)
            case _:
                attempt(fails=kind == "fail")
        due_at = pacing.due_at()
        assert (due_at is None) == pacing.is_empty
        assert due_at is None or due_at <= now + LINGER_S + RETRY_MAX_S
    pacing.finish(now)
    for _ in range(len(steps) + 1):
        now = max(now, pacing.due_at() or now)
        attempt(fails=False)
    assert pacing.is_empty
    assert written == [b"%d" % seq for seq in range(1, pacing.received_seq + 1)]


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 0.03, allow_nan=False)), min_size=1, max_size=150))
def test_commits_never_come_closer_than_the_spacing(arrivals: list[tuple[bool, float]]) -> None:
    pacing, now = GroupCommit(0), 0.0
    commits: list[float] = []
    for is_urgent, pause in arrivals:
        now += pause
        while (due_at := pacing.due_at()) is not None and due_at <= now:
            commit(pacing, due_at)
            commits.append(due_at)
        append(pacing, now, is_urgent=is_urgent)
    for earlier, later in itertools.pairwise(commits):
        assert later - earlier >= COMMIT_SPACING_S - EPSILON
