"""What the relay has counted of one end's sound, as the explanation asks for it. Pure.

What is bad is the verdict's to say (media/verdict.py); here it is taken apart, as loss and jitter have other causes.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from media.course import CourseError, course_of
from media.latch import STRANGER
from media.verdict import (
    JITTER_MS_MAX,
    JUDGED_PACKETS_MIN,
    LOSS_PERCENT_MAX,
    Gap,
    late_sound_s,
    verdict_of,
)
from provisioning.views import CdrView
from rating.records import MediaFigures

# A browser may take three seconds to find its way; a telephone sends its first packet with the answer.
LATE_S_MIN: Final = 4.0


class EndSound(msgspec.Struct, frozen=True):
    """One end's sound. `late_s` is from the answer to its first packet, None where that is not known.

    `last_at_ms` is when the last one came, UTC; None where that is not known, or the end was on hold after it.
    `has_strangers`: packets came from an address that nobody had announced, and were not taken.
    """

    codec: str
    packets: int
    packets_sent: int
    loss_percent: float
    jitter_ms: float
    mos: int
    has_loss: bool
    has_jitter: bool
    gaps: tuple[Gap, ...]
    has_strangers: bool
    late_s: float | None
    last_at_ms: int | None = None

    @property
    def is_late(self) -> bool:
        return self.late_s is not None and self.late_s >= LATE_S_MIN


def sound_of(view: CdrView) -> EndSound | None:
    """None where the relay was not in the path of this leg, or it was never answered."""
    cdr = view.cdr
    if not view.media or cdr.answered_at_ms is None:
        return None
    figures = _sound(view.media)
    verdict = verdict_of([figures], talked_s=max(0, cdr.duration_ms) / 1000)
    is_judged = verdict.is_bad and figures.packets + figures.lost >= JUDGED_PACKETS_MIN
    return EndSound(
        codec=figures.codec,
        packets=figures.packets,
        packets_sent=figures.packets_sent,
        loss_percent=verdict.loss_percent,
        jitter_ms=verdict.jitter_ms,
        mos=figures.mos,
        has_loss=is_judged and verdict.loss_percent >= LOSS_PERCENT_MAX,
        has_jitter=is_judged and verdict.jitter_ms >= JITTER_MS_MAX,
        gaps=verdict.gaps if verdict.is_bad else (),
        has_strangers=f"{STRANGER}=" in figures.dropped,
        late_s=late_sound_s(figures, cdr.answered_at_ms),
        last_at_ms=_last_at_ms(figures),
    )


def _last_at_ms(figures: MediaFigures) -> int | None:
    try:
        course = course_of(figures.course)
    except CourseError:
        return None
    if course.first_ms is None:
        return None
    if any(each.is_held and (each.at_s + each.seconds) * 1000 > course.last_ms for each in course.slices):
        return None
    return course.opened_at_ms(figures.ended_at_ms) + course.last_ms


def _sound(media: Sequence[MediaFigures]) -> MediaFigures:
    """Of several media the one with the most packets, as the verdict takes it."""
    return max(media, key=lambda figures: (figures.packets, -figures.medium))
