"""Whether a call sounded bad: faults by name, and ordinary calls that must not be called bad."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.course import pack_course
from media.verdict import SoundVerdict, late_sound_s, verdict_of, verdict_of_call
from rating.records import Cdr, MediaFigures
from tests.provisioning.records import cdr

ENDED_MS = 1_800_000_000_000
# What came in a second: packets, lost, jitter in ms, and whether it was held.
Second = tuple[int, int, float, bool]
SPEECH: Second = (50, 0, 1.0, False)
QUIET: Second = (0, 0, 0.0, False)
HELD: Second = (0, 0, 0.0, True)


def end(
    leg: int,
    seconds: list[Second],
    *,
    codec: str = "PCMA",
    medium: int = 0,
    dropped: str = "",
    packets_sent: int = 1000,
    has_course: bool = True,
    each_s: int = 1,
) -> MediaFigures:
    """One end's figures; a slice of `each_s` seconds for each of these."""
    packets, lost = sum(one[0] for one in seconds), sum(one[1] for one in seconds)
    first = next((index for index, one in enumerate(seconds) if one[0]), None)
    course = pack_course(
        [(100 * each_s, got, gone, round(jitter * 1000), held) for got, gone, jitter, held in seconds],
        length_ms=1000 * each_s * len(seconds),
        first_ms=None if first is None else 1000 * each_s * first + 20,
        last_ms=0,
        gap_ms=0,
        gap_at_ms=0,
    )
    jitter = sum(one[2] * one[0] for one in seconds) / packets if packets else 0.0
    return MediaFigures(
        "c1", leg, medium, ENDED_MS, codec if packets else "", packets, packets * 172, lost, 0, 0,
        round(jitter * 1000), round(jitter * 2000), 20_000, 0, 441 if packets else 0, packets_sent,
        packets_sent * 172, "192.0.2.10:4000", dropped, course if has_course else b"",
    )  # fmt: skip


def leg(number: int, *, answered_s_ago: float | None) -> Cdr:
    answered = None if answered_s_ago is None else ENDED_MS - round(answered_s_ago * 1000)
    return cdr("c1", number, setup_at_ms=ENDED_MS - 60_000, answered_at_ms=answered, ended_at_ms=ENDED_MS)


GOOD = [
    ("a minute of talk", [SPEECH] * 60, [SPEECH] * 60, 60),
    ("one second", [SPEECH], [QUIET], 1),
    ("two seconds, and nothing from the other end yet", [SPEECH] * 2, [QUIET] * 2, 2),
    ("twenty seconds of ringing with early media, hung up at once", [QUIET] * 21, [SPEECH] * 21, 1),
    ("early media, never answered", [QUIET] * 30, [SPEECH] * 30, 0),
    ("rang and spoke as soon as it was answered", [QUIET] * 20 + [SPEECH] * 4, [SPEECH] * 24, 4),
    ("held all the time by the one who says nothing", [HELD] * 30, [SPEECH] * 30, 30),
    ("both held", [HELD] * 30, [HELD] * 30, 30),
    ("held while the other end is quiet", [SPEECH] * 3 + [HELD] * 60, [(1, 0, 0.0, False)] + [QUIET] * 62, 63),
    ("muted, with comfort noise", [(2, 0, 0.0, False)] * 30, [SPEECH] * 30, 30),
    ("suppresses silence", ([SPEECH] * 2 + [QUIET] * 5) * 6, ([QUIET] * 4 + [SPEECH] * 3) * 6, 42),
    ("listens, and sent three packets first", [(3, 0, 0.0, False), *[QUIET] * 8], [SPEECH] * 9, 9),
    ("left alone with a recording server after its greeting", [SPEECH] * 60, [SPEECH] * 5 + [QUIET] * 55, 60),
    ("loses one in a hundred", [(49, 1 * (n % 2), 3.0, False) for n in range(60)], [SPEECH] * 60, 60),
    ("loses a few in a short call", [(40, 6, 1.0, False), *[SPEECH] * 3], [SPEECH] * 4, 4),
    ("jumps ahead after a hold", [SPEECH] * 10 + [HELD] * 9 + [(20, 400, 1.0, True)] + [SPEECH] * 9, [SPEECH] * 29, 29),
    ("gives its packets away three at a time", [(50, 0, 27.0, False)] * 30, [SPEECH] * 30, 30),
    ("one dropped word", [SPEECH] * 60 + [(10, 40, 1.0, False)] + [SPEECH] * 60, [SPEECH] * 121, 121),
]  # fmt: skip


@pytest.mark.parametrize(("caller", "callee", "talked_s"), [row[1:] for row in GOOD], ids=[row[0] for row in GOOD])
def test_ordinary_calls_are_not_bad(caller: list[Second], callee: list[Second], talked_s: float) -> None:
    for one, other in ((caller, callee), (callee, caller)):
        figures = [end(0, one), end(1, other)]
        verdict = verdict_of(figures, talked_s=talked_s)
        assert not verdict.is_bad, verdict.words
        assert (verdict.words, verdict.leg, verdict.is_one_way, verdict.is_silent) == ("", None, False, False)


LOSSY: Second = (47, 3, 2.0, False)
BAD = [
    ("nothing from the callee", [SPEECH] * 10, [QUIET] * 10, 10, 1, "nothing came from leg 1 in the 10 s"),
    ("nothing from the caller", [QUIET] * 10, [SPEECH] * 10, 10, 0, "nothing came from leg 0 in the 10 s"),
    ("two packets, then nothing", [(2, 0, 0.0, False), *[QUIET] * 19], [SPEECH] * 20, 20, 0, "only 2 packets came"),
    ("nothing after a hold either", [HELD] * 5 + [QUIET] * 10, [SPEECH] * 15, 15, 0, "in the 10 s in which"),
    ("six in a hundred lost", [LOSSY] * 20, [SPEECH] * 20, 20, 0, "6.0 % of the packets of leg 0 were lost (60)"),
    ("dropped out", [SPEECH] * 300 + [QUIET] * 3 + [(30, 170, 1.0, False)] + [SPEECH] * 300, [SPEECH] * 604, 604, 0,
     "3 s of leg 0 dropped out, the longest 3.4 s at 300 s"),
    ("broke up again and again", ([SPEECH] * 60 + [(10, 40, 1.0, False)] * 2) * 8, [SPEECH] * 496, 496, 0,
     "13 s of leg 0 dropped out"),
    ("jitter", [SPEECH] * 20, [(50, 0, 80.0, False)] * 20, 20, 1, "the packets of leg 1 came with 80 ms of jitter"),
    ("nothing from either", [QUIET] * 20, [QUIET] * 20, 20, None, "nothing came from either end in 20 s"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("caller", "callee", "talked_s", "worst", "words"), [row[1:] for row in BAD], ids=[row[0] for row in BAD]
)
def test_bad_calls_are_named(
    caller: list[Second], callee: list[Second], talked_s: float, worst: int | None, words: str
) -> None:
    verdict = verdict_of([end(0, caller), end(1, callee)], talked_s=talked_s)
    assert verdict.is_bad
    assert verdict.leg == worst
    assert words in verdict.words
    assert verdict.is_one_way == ("came from leg" in verdict.words)
    assert verdict.is_silent == ("either end" in verdict.words)


def test_figures_of_a_bad_line() -> None:
    verdict = verdict_of([end(0, [SPEECH] * 20), end(1, [LOSSY] * 20)], talked_s=20)
    assert verdict.loss_percent == pytest.approx(6.0)
    assert verdict.jitter_ms == 2.0
    assert (verdict.is_one_way, verdict.gaps) == (False, ())


def test_where_it_dropped_out() -> None:
    spell = [SPEECH] * 12 + [QUIET] * 2 + [(25, 125, 1.0, False)] + [SPEECH] * 12
    verdict = verdict_of([end(0, [SPEECH] * 27), end(1, spell)], talked_s=27)
    [gap] = verdict.gaps
    assert (gap.leg, gap.at_s, gap.seconds) == (1, 12.0, 2.5)


def test_where_its_packets_went_is_said() -> None:
    figures = [end(0, [SPEECH] * 10), end(1, [QUIET] * 10, dropped="stranger=498 truncated=1")]
    assert "498 packets came for it from addresses that its description does not name" in verdict_of(figures).words


def test_one_end_alone_is_not_one_way() -> None:
    assert not verdict_of([end(0, [SPEECH] * 60)], talked_s=60).is_bad
    assert not verdict_of([end(0, [QUIET] * 60)], talked_s=60).is_bad
    assert verdict_of([end(0, [LOSSY] * 60)], talked_s=60).is_bad
    assert verdict_of([]) == SoundVerdict()


def test_without_knowing_of_an_answer_only_what_is_certain_is_said() -> None:
    assert not verdict_of([end(0, [QUIET] * 60), end(1, [QUIET] * 60)]).is_bad
    assert verdict_of([end(0, [SPEECH] * 60), end(1, [QUIET] * 60)]).is_one_way


def test_a_camera_that_is_off_is_no_fault() -> None:
    figures = [
        end(0, [SPEECH] * 20), end(0, [SPEECH] * 20, medium=1, codec="H264"),
        end(1, [SPEECH] * 20), end(1, [QUIET] * 20, medium=1),
    ]  # fmt: skip
    assert not verdict_of(figures, talked_s=20).is_bad


def test_phones_that_rang_and_did_not_answer_are_no_silent_ends() -> None:
    figures = [
        end(0, [SPEECH] * 20), end(1, [QUIET] * 5, packets_sent=0), end(2, [SPEECH] * 20),
        end(3, [QUIET] * 5, packets_sent=0),
    ]  # fmt: skip
    assert not verdict_of(figures, talked_s=15).is_bad
    legs = [
        (leg(0, answered_s_ago=15), [figures[0]]), (leg(1, answered_s_ago=None), [figures[1]]),
        (leg(2, answered_s_ago=15), [figures[2]]),
    ]  # fmt: skip
    assert not verdict_of_call(legs).is_bad


def test_a_call_by_its_records_counts_from_each_legs_own_answer() -> None:
    ringing = [
        (leg(0, answered_s_ago=1), [end(0, [QUIET] * 30)]), (leg(1, answered_s_ago=1), [end(1, [SPEECH] * 30)])
    ]  # fmt: skip
    assert not verdict_of_call(ringing).is_bad
    talking = [(leg(number, answered_s_ago=20), figures) for number, (_, figures) in enumerate(ringing)]
    assert verdict_of_call(talking).is_one_way
    unanswered = [(leg(number, answered_s_ago=None), figures) for number, (_, figures) in enumerate(ringing)]
    assert verdict_of_call(unanswered) == SoundVerdict()


def test_an_older_relays_figures_are_judged_by_their_totals() -> None:
    figures = [end(0, [LOSSY] * 20, has_course=False), end(1, [QUIET] * 20, has_course=False)]
    verdict = verdict_of(figures, talked_s=20)
    assert verdict.is_one_way
    assert verdict.loss_percent == pytest.approx(6.0)


def test_long_slices_of_a_long_call_say_the_same() -> None:
    figures = [end(0, [(3200, 0, 1.0, False)] * 60, each_s=64), end(1, [QUIET] * 60, each_s=64)]
    assert verdict_of(figures, talked_s=3840).is_one_way
    assert not verdict_of([figures[0], figures[0]], talked_s=3840).is_bad


def test_how_late_the_first_sound_came() -> None:
    figures = end(1, [QUIET] * 4 + [SPEECH] * 6)
    opened = ENDED_MS - 10_000
    assert late_sound_s(figures, opened + 1_000) == pytest.approx(3.02)
    assert late_sound_s(figures, opened + 5_000) == 0.0
    assert late_sound_s(end(1, [QUIET] * 4), opened) is None


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.floats(0, 200), st.booleans()), max_size=40),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.floats(0, 200), st.booleans()), max_size=40),
    st.one_of(st.none(), st.floats(0, 100)),
    st.binary(max_size=30),
)
def test_any_figures_get_a_verdict(
    one: list[Second], other: list[Second], talked_s: float | None, course: bytes
) -> None:
    figures = [end(0, one), end(1, other)]
    for _ in range(2):
        verdict = verdict_of(figures, talked_s=talked_s)
        assert verdict.is_bad == bool(verdict.words)
        assert 0 <= verdict.loss_percent <= 100
        if talked_s is not None and talked_s < 2.9:
            assert not verdict.is_bad
        figures[1].course = course
