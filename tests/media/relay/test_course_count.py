"""How a stream goes over time is counted at the relay's beat, in a bounded place."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.course import Course, course_of
from media.quality import Stream
from media.relay.course_count import SLICES_MAX, CourseCount
from media.relay.messages import Bridge, Close, Figures
from tests.media.relay.core_bench import CALLEE, CALLER, RelayBench

FRAME_S = 0.020


class Speaker:
    """A stream with its course, ticked each quarter of a second as the relay sweeps."""

    def __init__(self, opened_at: float = 100.0) -> None:
        self.opened_at = opened_at
        self.passed_ms = 0
        self.stream = Stream()
        self.stream.change_clock(8000)
        self.count = CourseCount(opened_at)
        self.is_held = False
        self.sequence = 0
        self.swept_ms = 0

    @property
    def now(self) -> float:
        return self.opened_at + self.passed_ms / 1000

    def send(self, packets: int, *, lose: int = 0, late_s: float = 0.0) -> None:
        """So many packets, of which the last `lose` are lost. `late_s`: every second one is late by so much."""
        for number in range(packets):
            self.pass_time(FRAME_S)
            self.sequence += 1
            if number < packets - lose:
                late = late_s if number % 2 else 0.0
                self.hear(self.sequence, self.now + late)

    def hear(self, sequence: int, at: float) -> None:
        self.stream.received(sequence & 0xFFFF, sequence * 160, 7, 172, at, is_timed=True)

    def pass_time(self, seconds: float) -> None:
        """A packet that comes with the sweep comes before it."""
        self.passed_ms += round(seconds * 1000)
        while self.swept_ms + 250 < self.passed_ms:
            self.swept_ms += 250
            at = self.opened_at + self.swept_ms / 1000
            if at >= self.count.due:
                self.count.tick(self.stream, at, is_held=self.is_held)

    def course(self) -> Course:
        return course_of(self.count.packed(self.stream, self.now, is_held=self.is_held))


def test_a_slice_has_what_came_in_it() -> None:
    speaker = Speaker()
    speaker.send(50)
    speaker.send(50, lose=10)
    speaker.send(50)
    speaker.send(25)
    course = speaker.course()
    assert [one.packets for one in course.slices] == [50, 40, 50, 25]
    assert [one.lost for one in course.slices] == [0, 0, 10, 0], "known when the next one comes"
    assert [one.seconds for one in course.slices] == pytest.approx([1.0, 1.0, 1.0, 0.5])
    assert [one.at_s for one in course.slices] == pytest.approx([0.0, 1.0, 2.0, 3.0])


def test_where_the_stream_begins_ends_and_has_its_gap() -> None:
    speaker = Speaker()
    speaker.pass_time(1.5)
    speaker.send(100)
    speaker.pass_time(2.0)
    speaker.send(10)
    speaker.pass_time(0.5)
    course = speaker.course()
    assert course.first_ms == 1520
    assert (course.length_ms, course.last_ms) == (6200, 5700)
    assert course.gap_ms == 2020
    assert course.gap_at_ms == 6000, "to the next beat"
    assert [one.packets for one in course.slices][:2] == [0, 25]


def test_jitter_is_the_mean_of_its_slice() -> None:
    speaker = Speaker()
    speaker.send(50)
    speaker.send(100, late_s=0.015)
    speaker.send(200)
    slices = speaker.course().slices
    assert slices[0].jitter_us < 100
    assert 8_000 < slices[2].jitter_us < 16_000
    assert slices[6].jitter_us < 100


def test_a_late_packet_is_taken_out_of_the_slice_that_missed_it() -> None:
    speaker = Speaker()
    speaker.send(40)
    speaker.sequence += 1
    speaker.send(20)
    assert list(speaker.count._lost) == [1]
    speaker.hear(41, speaker.now)
    speaker.send(50)
    assert [one.lost for one in speaker.course().slices] == [0, 0, 0]


def test_held_slices_say_so() -> None:
    speaker = Speaker()
    speaker.send(60)
    speaker.is_held = True
    speaker.pass_time(2.0)
    speaker.is_held = False
    speaker.count.excuse()
    speaker.send(100)
    assert [one.is_held for one in speaker.course().slices] == [False, True, True, True, False, False]


def test_a_hold_within_a_slice_is_seen() -> None:
    speaker = Speaker()
    speaker.send(60)
    speaker.count.excuse()
    speaker.send(90)
    assert [one.is_held for one in speaker.course().slices] == [False, True, False]


@pytest.mark.parametrize("seconds", [95, 96, 97, 200, 1_000, 86_400])
def test_a_long_call_takes_the_room_of_a_short_one(seconds: int) -> None:
    count, stream, now = CourseCount(100.0), Stream(), 100.0
    for second in range(seconds):
        stream.packets += 50
        stream._highest += 50
        now += 1.0
        if now >= count.due:
            count.tick(stream, now, is_held=second == 0)
    packed = count.packed(stream, now, is_held=False)
    course = course_of(packed)
    assert SLICES_MAX // 2 <= len(course.slices) <= SLICES_MAX
    assert len(packed) < 800
    assert sum(one.seconds for one in course.slices) == seconds
    assert sum(one.packets for one in course.slices) == 50 * seconds
    assert [one.is_held for one in course.slices].count(True) == 1, "the slice that has the hold in it"
    assert {one.seconds for one in course.slices[:-1]} == {course.slices[0].seconds}


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(1, 300), st.integers(0, 40), st.integers(0, 3), st.booleans()),
        min_size=1,
        max_size=40,
    )
)
def test_the_slices_add_up_to_the_whole(spells: list[tuple[int, int, int, bool]]) -> None:
    speaker = Speaker()
    for packets, lost, missed, comes_late in spells:
        speaker.send(packets, lose=min(lost, packets))
        late = list(range(speaker.sequence + 1, speaker.sequence + 1 + missed))
        speaker.sequence += missed
        speaker.send(2)
        for sequence in late if comes_late else ():
            speaker.hear(sequence, speaker.now)
    stream, course = speaker.stream, speaker.course()
    assert sum(one.packets for one in course.slices) == stream.packets
    assert sum(one.lost for one in course.slices) == stream.lost
    assert sum(one.seconds for one in course.slices) == pytest.approx(course.length_ms / 1000, abs=0.011)


# In the relay


def closed(bench: RelayBench, number: int) -> Figures:
    bench.tell(Close(number))
    return bench.heard(Figures)[-1]


def test_the_last_figures_have_the_course_and_live_ones_have_none() -> None:
    bench = RelayBench()
    for _ in range(20):
        bench.talk(5)
        bench.wait(0.25)
    assert bench.figures(1).course == b""
    figures = closed(bench, 1)
    course = course_of(figures.course)
    assert figures.is_closed
    assert sum(one.packets for one in course.slices) == figures.packets == 100
    assert len(course.slices) >= 5
    assert course_of(closed(bench, 2).course).first_ms is not None


def test_a_hold_that_the_switch_tells_of_is_marked() -> None:
    bench = RelayBench()
    bench.talk(50)
    bench.wait(0.25)
    bench.aim(1, CALLER, may_be_silent=True)
    bench.wait(3.0)
    bench.aim(1, CALLER)
    bench.wait(1.5)
    bench.talk(100)
    course = course_of(closed(bench, 1).course)
    assert any(one.is_held and not one.packets for one in course.slices)
    assert not course.slices[-1].is_held
    assert not any(one.is_held for one in course_of(closed(bench, 2).course).slices)


def test_a_hold_of_half_a_second_is_marked_too() -> None:
    bench = RelayBench()
    bench.talk(10)
    bench.aim(1, CALLER, may_be_silent=True)
    bench.wait(0.25)
    bench.aim(1, CALLER)
    bench.wait(2.0)
    slices = course_of(closed(bench, 1).course).slices
    assert [one.is_held for one in slices][:2] == [True, False]


def test_an_end_that_never_spoke_has_a_course_of_silence() -> None:
    bench = RelayBench()
    bench.wait(5.0)
    course = course_of(closed(bench, 1).course)
    assert course.first_ms is None
    assert {one.packets for one in course.slices} == {0}
    assert course.length_ms == 5000


def test_octets_without_sequence_numbers_are_counted_too() -> None:
    bench = RelayBench(is_rtp=False)
    bench.tell(Bridge(1, 2))
    for _ in range(100):
        bench.raw(1, CALLER, b"udptl data")
        bench.raw(2, CALLEE, b"udptl data")
    bench.wait(0.25)
    figures = closed(bench, 1)
    assert sum(one.packets for one in course_of(figures.course).slices) == figures.packets > 90
