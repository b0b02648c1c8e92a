"""What the journal knows of the bundles that a call which is not over has set seconds aside of.

After a crash the call is settled by them as it would have been alive. New fields go to the end, with a default.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from rating.bundle_terms import Piece, Used
from rating.charge import Charge
from rating.cover import settle_covered
from rating.rate import Rate

if TYPE_CHECKING:
    from switch.calls.meter import Meter


class OpenCover(msgspec.Struct, array_like=True):
    """Those of one who pays, by the leg whose record carries it; the seconds granted stand with his price."""

    leg: int
    percent: int
    pieces: list[Piece]


def covers_of(meters: "Iterable[Meter]") -> list[OpenCover]:
    """As they are now: a renewal may have lengthened them."""
    return [
        OpenCover(meter.row, cover.percent, list(cover.pieces))
        for meter in meters
        if meter.reservation.cover is not None and (cover := meter.cover_now) is not None
    ]


def cost_of_covered(
    cover: OpenCover, rate: Rate, duration_ms: int, *, granted_s: int, at_ms: int
) -> tuple[Charge, tuple[Used, ...]]:
    """What the call comes to that ended after so long."""
    return settle_covered(
        rate, duration_ms, granted_s=granted_s, pieces=cover.pieces, percent=cover.percent, at_ms=at_ms
    )
