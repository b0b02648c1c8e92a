"""Buying prices and the quality of trunks as Prometheus names, and as rows of `offhook deck list` and `route quality`.

Labels are names and prefixes of the configuration.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from switch.trunks.quality import JUDGED_MIN, PAIRS_MAX, Qualities

if TYPE_CHECKING:
    from switch.exchange import Exchange


class DeckRow(msgspec.Struct):
    """A deck as the running switch has it."""

    name: str
    version: str
    currency: str
    prefixes: int
    prices: int
    trunks: list[str]


class QualityRow(msgspec.Struct):
    """A row of `offhook route quality`. Tries are decayed, so they are no whole number."""

    trunk: str
    route: str
    tries: float
    asr_percent: float | None
    acd_s: float | None
    pdd_ms: float | None
    is_judged: bool


def deck_rows(exchange: "Exchange") -> list[DeckRow]:
    conf = exchange.board.conf
    return [
        DeckRow(
            name, deck.version, deck.currency, len(deck), deck.head.prices,
            [trunk.name for trunk in conf.trunks.values() if trunk.deck == name],
        )
        for name, deck in conf.decks.items()
    ]  # fmt: skip


def quality_rows(qualities: Qualities, now: float) -> list[QualityRow]:
    """By trunk and route, as faded as they are now."""
    rows = []
    for (trunk, prefix), quality in sorted(qualities.pairs(), key=lambda pair: pair[0]):
        quality.fade(now)
        is_judged = quality.tries >= JUDGED_MIN
        rows.append(
            QualityRow(
                trunk, prefix, quality.tries, quality.asr_percent, quality.acd_s, quality.pdd_ms, is_judged
            )
        )
    return rows


def buying_metrics(exchange: "Exchange") -> Iterator[Metric]:
    """Called from the metrics thread; only reads. Figures are as they were when they last counted a try."""
    prefixes = GaugeMetricFamily("offhook_deck_prefixes", "Prefixes of a deck", labels=["deck"])
    for name, deck in list(exchange.board.conf.decks.items()):
        prefixes.add_metric([name], len(deck))
    yield prefixes
    below = CounterMetricFamily(
        "offhook_below_cost", "Trunks that took more than a call was sold for", labels=["trunk", "verdict"]
    )
    for (trunk, verdict), count in list(exchange.trunks.below_cost.items()):
        below.add_metric([trunk, verdict], count)
    yield below
    yield from _quality(exchange)


def _quality(exchange: "Exchange") -> Iterator[Metric]:
    labels = ["trunk", "route"]
    tries = GaugeMetricFamily("offhook_trunk_tries", "Tries of the last hours, decayed", labels=labels)
    asr = GaugeMetricFamily("offhook_trunk_asr_ratio", "Answered of them", labels=labels)
    acd = GaugeMetricFamily("offhook_trunk_acd_seconds", "Mean length of a call", labels=labels)
    pdd = GaugeMetricFamily(
        "offhook_trunk_pdd_seconds", "Mean time to the first sign of ringing", labels=labels
    )
    qualities = exchange.trunks.qualities
    for (trunk, prefix), quality in qualities.pairs():
        names = [trunk, prefix]
        tries.add_metric(names, quality.tries)
        if (asr_percent := quality.asr_percent) is not None:
            asr.add_metric(names, asr_percent / 100)
        if (acd_s := quality.acd_s) is not None:
            acd.add_metric(names, acd_s)
        if (pdd_ms := quality.pdd_ms) is not None:
            pdd.add_metric(names, pdd_ms / 1000)
    yield from (tries, asr, acd, pdd)
    kept = f"Trunks and routes whose figures are kept, at most {PAIRS_MAX}"
    yield GaugeMetricFamily("offhook_trunk_qualities", kept, value=len(qualities))
    yield CounterMetricFamily(
        "offhook_trunk_tries_unkept", "Tries for whose figures there was no room", value=qualities.unkept
    )
