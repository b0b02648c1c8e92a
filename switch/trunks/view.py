"""What `offhook status` shows of trunks: calls, addresses and their health, names, registrations."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from switch.trunks.carrier import Carrier, wanted_of
from switch.trunks.registration import Registration

if TYPE_CHECKING:
    from switch.trunks.trunks import Trunks


class Clock(Protocol):
    def ms(self, now: float) -> int: ...


def trunk_views(trunks: "Trunks", of_trunk: Mapping[str, int], clock: Clock) -> dict[str, dict[str, Any]]:
    """Trunk -> what is so now. Times are UTC milliseconds under keys that end in `_at_ms`."""
    return {
        carrier.trunk.name: _carrier_view(carrier, trunks, of_trunk.get(carrier.trunk.name, 0), clock)
        for carrier in trunks.carriers
    }


def _carrier_view(carrier: Carrier, trunks: "Trunks", calls: int, clock: Clock) -> dict[str, Any]:
    view: dict[str, Any] = {"calls": calls}
    view["addresses"] = {
        str(endpoint): f"{breaker.state.value}, {breaker.failures} silences"
        if breaker.failures
        else breaker.state.value
        for endpoint, breaker in carrier.breakers.items()
    }
    names = {
        str(address): trunks.names.problem(wanted_of(carrier.trunk, address)) or "known"
        for address in dict.fromkeys((*carrier.trunk.addresses, *carrier.trunk.registrars))
        if address.is_name
    }
    if names:
        view["names"] = names
    if carrier.registration is not None:
        view["registration"] = _registration_view(carrier.registration, clock)
    return view


def _registration_view(registration: Registration, clock: Clock) -> dict[str, Any]:
    expires_at, next_try_at = registration.expires_at, registration.next_try_at
    return {
        "state": registration.state.value,
        "registrar": str(registration.endpoint or ""),
        "since_at_ms": clock.ms(registration.since),
        "expires_at_ms": None if expires_at is None else clock.ms(expires_at),
        "next_try_at_ms": None if next_try_at is None else clock.ms(next_try_at),
        "last_error": registration.last_error,
        "service_route": list(registration.service_route),
    }
