"""How well each trunk has done for each route in the last hours: answered, for how long, after what delay. Pure.

ASR is the share of tries that were answered (ITU-T E.411), ACD their mean length, PDD the mean time from our INVITE to
the first sign of ringing. Every try counts when its leg has ended, and counts half after `HALF_LIFE_S`, so a bad hour
is forgotten in a few. Nothing is kept on disk: a restart begins anew, and until there are `JUDGED_MIN` tries nobody is
judged.
"""

from typing import Final

from switch.calls.routing import QualityFloor

HALF_LIFE_S: Final = 3600.0
# Below so many (decayed) tries a figure is chance: of ten calls none is answered every night. It also lets a trunk that
# went behind, and gets no calls, come back after some hours.
JUDGED_MIN: Final = 20.0
# Trunks times routes that are kept. A thousand trunks of twenty routes each; one more is not judged.
PAIRS_MAX: Final = 20_000
FADED: Final = 0.05


class TrunkQuality:
    """Of one trunk for one route. Sums decay; `at` is when they last did."""

    __slots__ = ("answered", "at", "delay_ms", "delays", "talk_s", "tries")

    def __init__(self, now: float) -> None:
        self.at = now
        self.tries = 0.0
        self.answered = 0.0
        self.talk_s = 0.0
        self.delays = 0.0
        self.delay_ms = 0.0

    def count(self, *, talk_s: float | None, delay_ms: int | None, now: float) -> None:
        """A leg has ended. `talk_s` None: it was not answered; `delay_ms` None: it never rang."""
        self.fade(now)
        self.tries += 1.0
        if talk_s is not None:
            self.answered += 1.0
            self.talk_s += talk_s
        if delay_ms is not None:
            self.delays += 1.0
            self.delay_ms += delay_ms

    def fade(self, now: float) -> None:
        passed_s = now - self.at
        if passed_s <= 0:
            return
        factor = 0.5 ** (passed_s / HALF_LIFE_S)
        self.at = now
        self.tries *= factor
        self.answered *= factor
        self.talk_s *= factor
        self.delays *= factor
        self.delay_ms *= factor

    @property
    def asr_percent(self) -> float | None:
        return 100.0 * self.answered / self.tries if self.tries else None

    @property
    def acd_s(self) -> float | None:
        return self.talk_s / self.answered if self.answered else None

    @property
    def pdd_ms(self) -> float | None:
        return self.delay_ms / self.delays if self.delays else None

    def below(self, floor: QualityFloor, now: float) -> str:
        """What it does not reach, in words, or ""."""
        self.fade(now)
        if self.tries < JUDGED_MIN:
            return ""
        asr, acd, pdd = self.asr_percent, self.acd_s, self.pdd_ms
        if floor.asr_min_percent and asr is not None and asr < floor.asr_min_percent:
            return f"ASR {asr:.0f} % of {self.tries:.0f} tries, below {floor.asr_min_percent} %"
        if floor.acd_min_s and acd is not None and self.answered >= JUDGED_MIN and acd < floor.acd_min_s:
            return f"ACD {acd:.0f} s, below {floor.acd_min_s} s"
        if floor.pdd_max_ms and pdd is not None and self.delays >= JUDGED_MIN and pdd > floor.pdd_max_ms:
            return f"PDD {pdd:.0f} ms, above {floor.pdd_max_ms} ms"
        return ""


class Qualities:
    """All of them, by trunk and the prefix of the route. `unkept` counts the tries for which there was no room."""

    __slots__ = ("_of", "_pairs_max", "unkept")

    def __init__(self, pairs_max: int = PAIRS_MAX) -> None:
        self._pairs_max = pairs_max
        self._of: dict[tuple[str, str], TrunkQuality] = {}
        self.unkept = 0

    def __len__(self) -> int:
        return len(self._of)

    def of(self, trunk: str, prefix: str, now: float) -> TrunkQuality | None:
        """To count into. None: there is no room."""
        quality = self._of.get((trunk, prefix))
        if quality is None:
            if len(self._of) >= self._pairs_max:
                self._forget_faded(now)
            if len(self._of) >= self._pairs_max:
                self.unkept += 1
                return None
            quality = self._of[trunk, prefix] = TrunkQuality(now)
        return quality

    def known(self, trunk: str, prefix: str) -> TrunkQuality | None:
        """To look at."""
        return self._of.get((trunk, prefix))

    def pairs(self) -> list[tuple[tuple[str, str], TrunkQuality]]:
        """As they are, for another thread."""
        return list(self._of.items())

    def _forget_faded(self, now: float) -> None:
        for pair, quality in list(self._of.items()):
            quality.fade(now)
            if quality.tries < FADED:
                del self._of[pair]
