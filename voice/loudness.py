"""How loud speech is while it is speech: the active speech level of ITU-T P.56, method B."""

import numpy as np
from numpy.typing import NDArray

TIME_CONSTANT_S = 0.03
HANGOVER_S = 0.2
MARGIN_DB = 15.9
THRESHOLDS = 15
_LOG = 10 / np.log(10)


def active_level_dbov(sound: NDArray[np.float32], rate: int) -> float:
    """dB relative to full scale (a square wave of 1.0 is 0); pauses do not count. -200 for silence."""
    power = float(np.sum(sound.astype(np.float64) ** 2))
    if not power:
        return -200.0
    envelope = _envelope(np.abs(sound), rate)
    hangover = int(HANGOVER_S * rate)
    thresholds = [2.0**-step for step in range(THRESHOLDS, 0, -1)]
    previous: tuple[float, float] | None = None
    for threshold in thresholds:
        active = _active_samples(envelope >= threshold, hangover)
        if not active:
            break
        level = _LOG * np.log(power / active)
        margin = level - 20 * np.log10(threshold)
        if margin <= MARGIN_DB:
            if previous is None:
                return float(level)
            before, margin_before = previous
            part = (margin_before - MARGIN_DB) / (margin_before - margin)
            return float(before + part * (level - before))
        previous = (level, margin)
    return float(previous[0]) if previous is not None else -200.0


def _envelope(size: NDArray[np.float32], rate: int) -> NDArray[np.float64]:
    keep = float(np.exp(-1 / (TIME_CONSTANT_S * rate)))
    out = np.empty(len(size), np.float64)
    first = second = 0.0
    for n, value in enumerate(size.tolist()):
        first = keep * first + (1 - keep) * value
        second = keep * second + (1 - keep) * first
        out[n] = second
    return out


def _active_samples(above: NDArray[np.bool_], hangover: int) -> int:
    """Samples above the threshold, and those within the hangover after one."""
    places = np.flatnonzero(above)
    if not len(places):
        return 0
    gaps = np.minimum(np.diff(places, append=len(above)), hangover + 1)
    return int(gaps.sum())
