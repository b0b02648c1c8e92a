"""The packed course of a stream: it says what was counted, and hostile octets raise nothing but CourseError."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.course import NUMBER_MAX, Course, CourseError, Slice, course_of, pack_course, read_course

Row = tuple[int, int, int, int, bool]
NUMBERS = st.integers(0, 2**32 - 1)
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.booleans()), max_size=100)


def packed(*rows: Row, first_ms: int | None = 40) -> bytes:
    return pack_course(rows, length_ms=3_000, first_ms=first_ms, last_ms=2_980, gap_ms=120, gap_at_ms=2_000)


def test_a_course_is_read_as_it_was_counted() -> None:
    course = course_of(packed((100, 50, 0, 900, False), (102, 48, 2, 12_000, True)))
    assert course == Course(
        length_ms=3_000,
        first_ms=40,
        last_ms=2_980,
        gap_ms=120,
        gap_at_ms=2_000,
        slices=[Slice(0.0, 1.0, 50, 0, 900), Slice(1.0, 1.02, 48, 2, 12_000, is_held=True)],
    )
    assert course.opened_at_ms(10_000) == 7_000
    assert course.slices[1].loss_percent == 4.0


def test_a_slice_of_an_ordinary_second_takes_five_octets() -> None:
    assert len(packed((100, 50, 0, 900, False), (101, 50, 0, 1200, False))) - len(packed()) == 2 * 5


def test_nothing_is_a_course_of_nothing() -> None:
    assert course_of(b"") == Course()
    assert read_course(packed(first_ms=None)) == []
    assert course_of(packed(first_ms=None)).first_ms is None
    assert course_of(packed(first_ms=0)).first_ms == 0
    assert Slice(0.0, 1.0, 0, 0, 0).loss_percent == 0.0


@given(ROWS, st.one_of(st.none(), NUMBERS))
def test_packing_and_reading_are_inverse(rows: list[Row], first_ms: int | None) -> None:
    course = course_of(packed(*rows, first_ms=first_ms))
    assert course.first_ms == first_ms
    assert [(one.packets, one.lost, one.jitter_us, one.is_held) for one in course.slices] == [
        row[1:] for row in rows
    ]
    assert [round(one.seconds * 100) for one in course.slices] == [row[0] for row in rows]


@given(st.binary(max_size=400), st.booleans())
def test_any_octets_are_read_or_refused_by_name(data: bytes, is_ours: bool) -> None:
    data = b"\x01" + data if is_ours else data
    try:
        course = course_of(data)
    except CourseError:
        return
    assert all(0 <= one.packets <= NUMBER_MAX for one in course.slices)


@given(st.data())
def test_a_course_that_was_cut_is_refused(data: st.DataObject) -> None:
    whole = packed((100, 50, 0, 900, False), (300, 48, 2, 12_000, True))
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(CourseError):
        read_course(whole[:cut])


@pytest.mark.parametrize(
    "data",
    [
        b"\x02" + b"\0" * 6,
        b"\x01",
        b"\x01" + b"\0" * 5,
        b"\x01" + b"\0" * 7,
        b"\x01" + b"\0" * 5 + b"\xff\xff\x03",
        b"\x01" + b"\xff" * 100,
        b"\x01" + b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f" + b"\0" * 5,
        b"\x01" + b"\x80" * 7,
        b"\x01" + b"\0" * 100_000,
    ],
    ids=[
        "version",
        "no head",
        "half a head",
        "trailing",
        "more slices than come",
        "endless",
        "huge",
        "unended",
        "long",
    ],
)
def test_what_is_no_course_is_refused(data: bytes) -> None:
    with pytest.raises(CourseError):
        course_of(data)
