"""Whether a call sounded bad: from what the relay counted of its ends, before anybody listens to a customer.

Ordinary calls are not bad: one that is on hold, muted, short, never answered, played to by an announcement, or of a
phone that sends nothing while nobody speaks. So every limit is well past what a good call has, and what a hold took is
left out. What is counted is what came from each end; what was lost on the way to it, only that end knows.

The switch asks this of each call that ends: a good one is told by its totals, and its course is not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from media.course import Course, CourseError, Slice, course_of
from media.latch import ELSEWHERE, LATCHING, STRANGER
from rating.records import Cdr, MediaFigures

# The table of limits.
#
# Random loss of 3 % makes of G.711 with concealment R = 83 (ITU-T G.107 7.5 with Bpl 25.1 of G.113 Appendix I), where
# G.109's "some users dissatisfied" is near, and of a codec without it far worse. ITU-T Y.1541 asks 0.1 % of a network,
# so a good line is far away from it. A loss is RFC 3611's only when it can be heard: ten packets are 200 ms.
LOSS_PERCENT_MAX: Final = 3.0
LOST_PACKETS_MIN: Final = 10
# Y.1541 allows 50 ms of delay variation for speech; jitter buffers follow about as far. Below it softphones live that
# give away several packets at once.
JITTER_MS_MAX: Final = 50.0
# Five seconds of 20 ms: a share of fewer packets is chance, and the first second of a call is full of accidents.
JUDGED_PACKETS_MIN: Final = 250
# Speech that dropped out in one go, and all of it together: a sentence, and what makes people say "you are breaking
# up".
GAP_LOSS_PERCENT: Final = 10.0
GAP_LISTED_S: Final = 1.0
GAP_S_MAX: Final = 3.0
GAPS_S_MAX: Final = 5.0
# A call shorter than this is somebody who thought better of it.
TALK_S_MIN: Final = 3.0
# Nothing at all from an end while the other one was heard for so long. A phone that suppresses silence sends at least
# its first sound and then comfort noise (RFC 3389); so a few packets excuse it for longer, as some phones open their
# firewall's door with one or two and others begin in a quiet room. A browser may take three seconds to find its way
# (ICE, DTLS).
ONE_WAY_S_MIN: Final = 4.0
FEW_PACKETS: Final = 5
ONE_WAY_FEW_S_MIN: Final = 10.0
# Nothing from either end. Longer than for one: nobody proves that there was a call to be heard.
SILENT_S_MIN: Final = 10.0
# Where a course is missing, what a packet is taken for.
PACKET_S: Final = 0.020

# A camera that is off is no fault of the sound.
PICTURES: Final = frozenset(
    {"H261", "H263", "H263-1998", "H263-2000", "H264", "H265", "VP8", "VP9", "AV1", "RTX"}
)
NOT_THE_CALLS: Final = frozenset({STRANGER, LATCHING, ELSEWHERE})


class Gap(msgspec.Struct, frozen=True):
    """Speech of a leg that did not arrive: `seconds` of it, from `at_s` after its port was opened."""

    leg: int
    at_s: float
    seconds: float


class SoundVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """`loss_percent` and `jitter_ms` are those of the worse end, holds left out, also of a good call.

    `leg` is where the worst of it lies: the end that was not heard, or whose packets were lost. `words` say it, "" for
    a good call.
    """

    is_bad: bool = False
    loss_percent: float = 0.0
    jitter_ms: float = 0.0
    is_one_way: bool = False
    is_silent: bool = False
    gaps: tuple[Gap, ...] = ()
    leg: int | None = None
    words: str = ""


def verdict_of(figures: Sequence[MediaFigures], *, talked_s: float | None = None) -> SoundVerdict:
    """Of both ends of a call, or of one. `talked_s` is from answer to end, 0 for a call that was never answered.

    None: it is not known. Then ringing with early media passes for talking, and a call without any sound for a good
    one.
    """
    since = None if talked_s is None else round(talked_s * 1000)
    ends = [
        _End(one, one.ended_at_ms - since if since is not None else None)
        for one in _sounds(figures)
        if len(figures) <= 2 or one.packets or one.packets_sent
    ]
    return _judged(ends)


def verdict_of_call(legs: Sequence[tuple[Cdr, Sequence[MediaFigures]]]) -> SoundVerdict:
    """Of a whole call by its records: only legs that were answered count, each from its own answer on."""
    return _judged(
        [
            _End(one, cdr.answered_at_ms)
            for cdr, figures in legs
            if cdr.answered_at_ms is not None
            for one in _sounds(figures)
        ]
    )


def late_sound_s(figures: MediaFigures, answered_at_ms: int) -> float | None:
    """How long after the answer the first packet of this end came; 0.0 before it. None: nothing came, or it is not
    known."""
    course = _course(figures)
    if course.first_ms is None:
        return None
    return max(0.0, (course.opened_at_ms(figures.ended_at_ms) + course.first_ms - answered_at_ms) / 1000)


class _End:
    """One leg's sound, over time. `since_ms` is when it was answered, UTC; None: not known."""

    def __init__(self, figures: MediaFigures, since_ms: int | None) -> None:
        self.figures = figures
        self.leg = figures.leg
        self.is_answer_known = since_ms is not None
        self._since_ms = since_ms
        self._read: Course | None = None

    @property
    def course(self) -> Course:
        if self._read is None:
            self._read = _course(self.figures)
        return self._read

    @property
    def since_ms(self) -> int:
        return self.opened_ms if self._since_ms is None else self._since_ms

    @property
    def opened_ms(self) -> int:
        return self.course.opened_at_ms(self.figures.ended_at_ms)

    @property
    def is_too_short(self) -> bool:
        return self._since_ms is not None and self.figures.ended_at_ms - self._since_ms < TALK_S_MIN * 1000

    @property
    def talk(self) -> list[Slice]:
        """Without what was held."""
        return [one for one in self.course.slices if not one.is_held]

    @property
    def counted(self) -> tuple[int, int]:
        """Packets that came and packets that were lost."""
        if self.figures.lost < LOST_PACKETS_MIN or not self.course.slices:
            return self.figures.packets, self.figures.lost
        return sum(one.packets for one in self.talk), sum(one.lost for one in self.talk)

    def heard_s(self, other: _End) -> float:
        """For how long it was heard, once both had answered, while neither of the two was on hold."""
        since, until = max(self.since_ms, other.since_ms), other.figures.ended_at_ms
        if not self.course.slices:
            return min(self.figures.packets * PACKET_S, max(0.0, (until - since) / 1000))
        return sum(
            _overlap_s(self._span(one), (since, until))
            for one in self.talk
            if one.packets and not other.is_held_in(self._span(one))
        )

    def quiet_s(self, other: _End) -> float:
        """For how long it could have been heard, whether or not it was."""
        since = max(self.since_ms, other.since_ms)
        until = min(self.figures.ended_at_ms, other.figures.ended_at_ms)
        return sum(
            _overlap_s(self._span(one), (since, until))
            for one in self.talk
            if not other.is_held_in(self._span(one))
        )

    def is_held_in(self, span: tuple[float, float]) -> bool:
        return any(one.is_held and _overlap_s(self._span(one), span) > 0 for one in self.course.slices)

    def _span(self, one: Slice) -> tuple[float, float]:
        """UTC milliseconds."""
        begins = self.opened_ms + one.at_s * 1000
        return begins, begins + one.seconds * 1000


def _judged(ends: list[_End]) -> SoundVerdict:
    found = list(_found(ends))
    shares = [_loss_percent(end) for end in ends]
    return SoundVerdict(
        is_bad=bool(found),
        loss_percent=max(shares, default=0.0),
        jitter_ms=max((end.figures.jitter_us / 1000 for end in ends), default=0.0),
        is_one_way=any(one.kind == ONE_WAY for one in found),
        is_silent=any(one.kind == SILENT for one in found),
        gaps=tuple(gap for end in ends for gap in _gaps(end)),
        leg=found[0].leg if found else None,
        words="; ".join(one.words for one in found),
    )


ONE_WAY: Final = "one way"
SILENT: Final = "silent"
POOR: Final = "poor"


class _Finding(msgspec.Struct, frozen=True):
    kind: str
    leg: int | None
    words: str


def _found(ends: list[_End]) -> Iterator[_Finding]:
    """What is wrong, the worst first."""
    ends = [end for end in ends if not end.is_too_short]
    for end in ends:
        if end.figures.packets > FEW_PACKETS:
            continue
        heard_s = max((other.heard_s(end) for other in ends if other.leg != end.leg), default=0.0)
        if heard_s >= _silence_s_min(end):
            yield _Finding(ONE_WAY, end.leg, _one_way_words(end, heard_s))
    yield from _silent(ends)
    for end in sorted(ends, key=_loss_percent, reverse=True):
        yield from _poor(end)


def _silence_s_min(end: _End) -> float:
    return ONE_WAY_FEW_S_MIN if end.figures.packets else ONE_WAY_S_MIN


def _one_way_words(end: _End, heard_s: float) -> str:
    sent = "nothing" if not end.figures.packets else f"only {end.figures.packets} packets"
    words = f"{sent} came from leg {end.leg} in the {heard_s:.0f} s in which the other end was heard"
    elsewhere = _from_elsewhere(end.figures)
    return (
        f"{words}; {elsewhere} came for it from addresses that its description does not name"
        if elsewhere
        else words
    )


def _from_elsewhere(figures: MediaFigures) -> str:
    """How many packets were dropped as somebody else's, "" for none: they may be this end's."""
    counts = [part.partition("=") for part in figures.dropped.split()]
    found = [
        count
        for reason, _, count in counts
        if reason in NOT_THE_CALLS and count.isascii() and count.isdigit()
    ]
    return " and ".join(found) + " packets" if found else ""


def _silent(ends: list[_End]) -> Iterator[_Finding]:
    """No word from anybody. Only where the answer is known: else it would be every call that rang for long."""
    if len(ends) < 2 or any(end.figures.packets or not end.is_answer_known for end in ends):
        return
    one, other = ends[0], ends[1]
    for_s = one.quiet_s(other)
    if for_s >= SILENT_S_MIN:
        yield _Finding(SILENT, None, f"nothing came from either end in {for_s:.0f} s")


def _poor(end: _End) -> Iterator[_Finding]:
    """What arrived arrived badly."""
    packets, lost = end.counted
    share = _loss_percent(end)
    is_judged = packets + lost >= JUDGED_PACKETS_MIN
    if is_judged and share >= LOSS_PERCENT_MAX and lost >= LOST_PACKETS_MIN:
        yield _Finding(POOR, end.leg, f"{share:.1f} % of the packets of leg {end.leg} were lost ({lost})")
    gaps = _gaps(end)
    in_all = sum(gap.seconds for gap in gaps)
    if in_all >= GAPS_S_MAX or any(gap.seconds >= GAP_S_MAX for gap in gaps):
        longest = max(gaps, key=lambda gap: gap.seconds)
        yield _Finding(
            POOR, end.leg,
            f"{in_all:.0f} s of leg {end.leg} dropped out, the longest {longest.seconds:.1f} s at {longest.at_s:.0f} s",
        )  # fmt: skip
    jitter_ms = end.figures.jitter_us / 1000
    if is_judged and jitter_ms >= JITTER_MS_MAX:
        yield _Finding(POOR, end.leg, f"the packets of leg {end.leg} came with {jitter_ms:.0f} ms of jitter")


def _loss_percent(end: _End) -> float:
    packets, lost = end.counted
    return 100.0 * lost / (packets + lost) if packets + lost else 0.0


def _gaps(end: _End) -> list[Gap]:
    """Runs of slices in which much was lost. A slice without a packet is none by itself: nobody may have spoken."""
    gaps: list[Gap] = []
    if end.figures.lost < LOST_PACKETS_MIN:
        return gaps
    packet_s = _packet_s(end.talk)
    begins: float | None = None
    lost = 0
    for one in [*end.course.slices, None]:
        is_empty = one is not None and not one.is_held and not one.packets
        is_lossy = one is not None and not one.is_held and one.loss_percent >= GAP_LOSS_PERCENT
        if one is not None and (is_empty or is_lossy):
            begins = one.at_s if begins is None else begins
            lost += one.lost
            continue
        if begins is not None and lost * packet_s >= GAP_LISTED_S:
            gaps.append(Gap(end.leg, begins, round(lost * packet_s, 2)))
        begins, lost = None, 0
    return gaps


def _packet_s(slices: list[Slice]) -> float:
    """How much speech a packet of this stream has: of the slice with the most."""
    return min(
        (one.seconds / one.packets for one in slices if one.packets and not one.lost), default=PACKET_S
    )


def _sounds(figures: Sequence[MediaFigures]) -> list[MediaFigures]:
    """One for each leg: of several the one with the most packets."""
    best: dict[int, MediaFigures] = {}
    for one in figures:
        if one.codec.upper() in PICTURES:
            continue
        known = best.get(one.leg)
        if known is None or (one.packets, -one.medium) > (known.packets, -known.medium):
            best[one.leg] = one
    return list(best.values())


def _course(figures: MediaFigures) -> Course:
    """An empty one for what is none."""
    try:
        return course_of(figures.course)
    except CourseError:
        return Course()


def _overlap_s(one: tuple[float, float], other: tuple[float, float]) -> float:
    return max(0.0, min(one[1], other[1]) - max(one[0], other[0])) / 1000
