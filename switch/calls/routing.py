"""Destination -> ordered trunks, as routing.toml says: the longest prefix of the number wins. Pure.

Prefixes are written like the numbers they stand for: "+44", "+447", "+" (every E.164 number), "118"
(short codes). An empty list closes a range. Emergency calls have trunks of their own and never go by
prefix.
"""

from collections.abc import Mapping

from msgspec import Struct

from rating.prefix import PrefixTable
from switch.calls.number_plan import NumberPlan


class Routing(Struct, frozen=True):
    """routing.toml as loaded. `version` is the file's, for CDRs."""

    plan: NumberPlan
    routes: PrefixTable[tuple[str, ...]]
    emergency_trunks: tuple[str, ...]
    version: str

    def targets(self, number: str) -> tuple[str, ...]:
        """Names of the trunks to try, in order; empty where nothing goes.

        `number` is E.164 with its plus, or a short code.
        """
        return self.routes.longest(number) or ()


def make_routing(
    routes: Mapping[str, tuple[str, ...]],
    *,
    plan: NumberPlan | None = None,
    emergency_trunks: tuple[str, ...] = (),
    version: str = "",
) -> Routing:
    """A Routing from prefixes and names."""
    return Routing(plan or NumberPlan(), PrefixTable(routes), emergency_trunks, version)
