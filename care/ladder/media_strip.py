"""The sound of a call over time, as a picture in the ladder's style: for each end a strip of what came from it.

Loss is bars, jitter a line, and where nothing came the strip is shaded and says so. All strips have one axis of time,
so that what happened to both ends at once stands one above the other.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from care.ladder.ladder import ladder_of
from care.ladder.model import Ladder
from care.ladder.svg_shapes import escaped, line, path, picture, rect, text
from care.story import CallStory
from media.course import Course, CourseError, Slice, course_of
from rating.records import MediaFigures

# Scales do not become finer than these: 1 % of loss in a good call should look like little.
LOSS_SCALE_MIN: Final = 5.0
JITTER_SCALE_MIN_US: Final = 30_000
STREAMS_MAX: Final = (
    12  # as many strips as a call with two media has legs that were heard; more is no picture
)
TICKS: Final = 5
STRIP_HEIGHT: Final = 64.0


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """What came from one end. `offset_s` is when its port was opened, since the first of the call's was."""

    title: str
    summary: str
    offset_s: float
    slices: list[Slice]


def streams_of(story: CallStory) -> list[Stream]:
    """In order of the legs; those of which nothing was counted over time are left out."""
    counted = [
        (figures, course)
        for view in story.legs
        for figures in view.media
        if (course := _course(figures)) is not None
    ]
    if not counted:
        return []
    opened = [course.opened_at_ms(figures.ended_at_ms) for figures, course in counted]
    first_ms = min(opened)
    ladder = ladder_of(story)
    return [
        Stream(
            title=f"From {_name(ladder, figures.leg)}",
            summary=_summary(figures),
            offset_s=(opened_ms - first_ms) / 1000,
            slices=course.slices,
        )
        for (figures, course), opened_ms in zip(counted, opened, strict=True)
    ][:STREAMS_MAX]


def draw(streams: Sequence[Stream], *, narrow: bool = False, with_style: bool = True) -> str:
    """One `<svg>`; "" where there is nothing to draw."""
    if not streams:
        return ""
    width = 390.0 if narrow else 1120.0
    left, right = (12.0, width - 12) if narrow else (60.0, width - 76)
    length_s = max(1.0, *(stream.offset_s + _length_s(stream.slices) for stream in streams))
    parts: list[str] = []
    y = 16.0
    for stream in streams:
        strip = _Strip(stream, left, right, y, length_s, is_narrow=narrow)
        parts += strip.parts()
        y = strip.bottom + 18
    parts += _axis(left, right, y, length_s)
    parts.append(
        text((left, y + 36), "bars: packets lost · line: jitter · shaded: nothing came", 12, "fd-soft")
    )
    said = "; ".join(f"{stream.title}: {stream.summary}" for stream in streams)
    return picture(parts, width=width, height=y + 48, label=f"Sound over time. {said}", with_style=with_style)


class _Strip:
    def __init__(
        self, stream: Stream, left: float, right: float, top: float, length_s: float, *, is_narrow: bool
    ) -> None:
        self.stream = stream
        self.left, self.right = left, right
        self.top = top + (40 if is_narrow else 24)
        self.head = top
        self.bottom = self.top + STRIP_HEIGHT
        self.per_second = (right - left) / length_s
        self.is_narrow = is_narrow
        self.loss_scale = max(LOSS_SCALE_MIN, *(one.loss_percent for one in stream.slices), 0.0)
        self.jitter_scale_us = max(JITTER_SCALE_MIN_US, *(one.jitter_us for one in stream.slices), 0)

    def parts(self) -> list[str]:
        size = (self.right - self.left, STRIP_HEIGHT)
        parts = [text((self.left, self.head + 14), self.stream.title, 14, "fd-strong")]
        if self.is_narrow:
            parts.append(text((self.left, self.head + 32), self.stream.summary, 11, "fd-soft", room=size[0]))
        else:
            parts.append(text((self.right, self.head + 14), self.stream.summary, 12, "fd-soft", anchor="end"))
        parts.append(rect((self.left, self.top), size, "fd-card", rounding=4))
        parts += [part for one in self.stream.slices for part in self._slice(one)]
        return [*parts, *self._jitter(), *self._scales()]

    def _slice(self, one: Slice) -> list[str]:
        start = self.left + (self.stream.offset_s + one.at_s) * self.per_second
        width = max(1.0, one.seconds * self.per_second)
        title = f"<title>{escaped(_words(one))}</title>"
        shapes = ""
        if one.packets == 0 and not one.is_held:
            shapes = rect((start, self.top), (width, STRIP_HEIGHT), "fd-silent")
        elif one.lost:
            height = max(2.0, one.loss_percent / self.loss_scale * (STRIP_HEIGHT - 4))
            shapes = rect((start, self.bottom - height), (width, height), "fd-loss")
        return [f"<g>{title}{rect((start, self.top), (width, STRIP_HEIGHT), 'fd-hit')}{shapes}</g>"]

    def _jitter(self) -> list[str]:
        """A line through the middles of the slices; broken where nothing came."""
        steps, is_pen_down = [], False
        for one in self.stream.slices:
            if one.packets == 0:
                is_pen_down = False
                continue
            x = self.left + (self.stream.offset_s + one.at_s + one.seconds / 2) * self.per_second
            y = self.bottom - 2 - one.jitter_us / self.jitter_scale_us * (STRIP_HEIGHT - 6)
            steps.append(f"{'L' if is_pen_down else 'M'}{x:.1f} {y:.1f}")
            is_pen_down = True
        return [path("".join(steps), "fd-jitter")] if steps else []

    def _scales(self) -> list[str]:
        if self.is_narrow:
            return []
        return [
            text((self.left - 8, self.top + 11), f"{self.loss_scale:.0f} %", 11, "fd-soft", anchor="end"),
            text((self.left - 8, self.bottom), "loss", 11, "fd-soft", anchor="end"),
            text((self.right + 8, self.top + 11), f"{self.jitter_scale_us // 1000} ms", 11, "fd-soft"),
            text((self.right + 8, self.bottom), "jitter", 11, "fd-soft"),
        ]


def _axis(left: float, right: float, y: float, length_s: float) -> list[str]:
    parts = [line((left, y - 10), (right, y - 10), "fd-grid")]
    for tick in range(TICKS + 1):
        x = left + (right - left) * tick / TICKS
        anchor = "start" if tick == 0 else "end" if tick == TICKS else "middle"
        parts.append(line((x, y - 10), (x, y - 5), "fd-grid"))
        parts.append(
            text((x, y + 8), _clock(length_s * tick / TICKS), 11, "fd-soft", "fd-num", anchor=anchor)
        )
    return parts


def _course(figures: MediaFigures) -> Course | None:
    """None where nothing was counted, or where it cannot be read: the other strips are drawn all the same."""
    try:
        course = course_of(figures.course)
    except CourseError:
        return None
    return course if course.slices else None


def _name(ladder: Ladder, leg: int) -> str:
    found = next((one.name for one in ladder.participants if leg in one.legs), "another end")
    return f"{found} (leg {leg})"


def _summary(figures: MediaFigures) -> str:
    expected = figures.packets + figures.lost
    loss = 100.0 * figures.lost / expected if expected else 0.0
    said = [figures.codec[:20], f"{figures.packets} packets", f"loss {loss:.1f} %"]
    said.append(f"jitter {figures.jitter_us / 1000:.1f} ms")
    said.append(f"MOS {figures.mos / 100:.1f}" if figures.mos else "")
    return " · ".join(filter(None, said))


def _words(one: Slice) -> str:
    when = f"{_clock(one.at_s)} to {_clock(one.at_s + one.seconds)}"
    if one.is_held and not one.packets:
        return f"{when}: on hold"
    if not one.packets:
        return f"{when}: nothing came"
    lost = f"{one.lost} lost ({one.loss_percent:.1f} %)"
    return f"{when}: {one.packets} packets, {lost}, jitter {one.jitter_us / 1000:.1f} ms"


def _length_s(slices: Sequence[Slice]) -> float:
    return slices[-1].at_s + slices[-1].seconds if slices else 0.0


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"
