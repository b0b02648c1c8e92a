"""Customers' trunks whose address is also a carrier's: the carrier wins, and the operator is told.

The books and trunks.toml are changed apart from each other, so no constraint can hold between them; each change of
either is looked at here.
"""

from collections.abc import Iterable

import msgspec
import structlog

from provisioning.model import Line
from switch.config import Conf

log = structlog.get_logger(__name__)


class AddressConflict(msgspec.Struct, frozen=True):
    """Requests from `address` are the carrier's, never the line's."""

    line: str
    address: str
    carrier: str


def address_conflicts(lines: Iterable[Line], conf: Conf) -> list[AddressConflict]:
    conflicts = []
    for line in lines:
        for address in line.addresses:
            carrier = conf.trunk_sources.find(address.host, address.port)
            if carrier is not None:
                conflicts.append(AddressConflict(line.user, str(address), carrier))
    return conflicts


def warn_of_conflicts(lines: Iterable[Line], conf: Conf) -> None:
    """Calls from the address would be taken for the carrier's: they reach only numbers here, and nobody pays."""
    for conflict in address_conflicts(lines, conf):
        log.warning("line_address_is_a_carriers", **msgspec.structs.asdict(conflict))
