"""ASR, ACD and PDD of a trunk for a route: they fade, are judged when there is enough of them, and have a limit."""

import pytest

from switch.buying_metrics import quality_rows
from switch.calls.routing import QualityFloor
from switch.trunks.quality import HALF_LIFE_S, JUDGED_MIN, Qualities, TrunkQuality


def filled(
    answered: int, failed: int, *, talk_s: float = 60.0, delay_ms: int = 2000, now: float = 0.0
) -> TrunkQuality:
    found = TrunkQuality(now)
    for _ in range(answered):
        found.count(talk_s=talk_s, delay_ms=delay_ms, now=now)
    for _ in range(failed):
        found.count(talk_s=None, delay_ms=None, now=now)
    return found


@pytest.mark.parametrize(
    ("quality", "floor", "words"),
    [
        (filled(50, 50), QualityFloor(asr_min_percent=50), ""),
        (filled(49, 51), QualityFloor(asr_min_percent=50), "ASR 49 % of 100 tries, below 50 %"),
        (filled(0, 19), QualityFloor(asr_min_percent=50), ""),
        (filled(0, 20), QualityFloor(asr_min_percent=50), "ASR 0 % of 20 tries, below 50 %"),
        (filled(30, 0, talk_s=5), QualityFloor(acd_min_s=10), "ACD 5 s, below 10 s"),
        (filled(19, 5, talk_s=5), QualityFloor(acd_min_s=10), ""),
        (filled(30, 0, delay_ms=9000), QualityFloor(pdd_max_ms=8000), "PDD 9000 ms, above 8000 ms"),
        (filled(30, 0, delay_ms=8000), QualityFloor(pdd_max_ms=8000), ""),
        (filled(0, 100), QualityFloor(), ""),
    ],
)
def test_a_trunk_is_judged_by_the_floor_of_the_route(
    quality: TrunkQuality, floor: QualityFloor, words: str
) -> None:
    assert quality.below(floor, 0.0) == words


def test_a_bad_hour_is_forgotten_in_a_few() -> None:
    bad = filled(0, 100)
    floor = QualityFloor(asr_min_percent=50)
    assert bad.below(floor, 2 * HALF_LIFE_S)
    assert bad.tries == pytest.approx(25)
    assert not bad.below(floor, 3 * HALF_LIFE_S)  # too few to say anything: it is tried again


def test_what_is_new_outweighs_what_is_old() -> None:
    quality = filled(0, 100)
    for _ in range(100):
        quality.count(talk_s=60.0, delay_ms=1000, now=HALF_LIFE_S)
    assert quality.asr_percent == pytest.approx(100 * 100 / 150)


def test_time_that_goes_back_changes_nothing() -> None:
    quality = filled(10, 10, now=100.0)
    quality.fade(50.0)
    assert quality.tries == 20


def test_rows_say_what_is_known() -> None:
    qualities = Qualities()
    for _ in range(25):
        qualities.of("a", "+44", 0.0).count(talk_s=30.0, delay_ms=1500, now=0.0)
    qualities.of("b", "+44", 0.0).count(talk_s=None, delay_ms=None, now=0.0)
    good, bad = quality_rows(qualities, 0.0)
    assert (good.trunk, good.asr_percent, good.acd_s, good.pdd_ms, good.is_judged) == (
        "a",
        100.0,
        30.0,
        1500.0,
        True,
    )
    assert (bad.trunk, bad.asr_percent, bad.acd_s, bad.pdd_ms, bad.is_judged) == ("b", 0.0, None, None, False)


def test_there_is_a_limit_and_what_has_faded_makes_room() -> None:
    qualities = Qualities(pairs_max=2)
    for trunk in ("a", "b"):
        qualities.of(trunk, "+44", 0.0).count(talk_s=None, delay_ms=None, now=0.0)
    assert qualities.of("c", "+44", 0.0) is None
    assert qualities.unkept == 1 and len(qualities) == 2
    assert qualities.of("c", "+44", 6 * HALF_LIFE_S) is not None
    assert JUDGED_MIN > 1
