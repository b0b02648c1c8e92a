"""The Prometheus names of trunks, read from what switch/trunks keeps when somebody asks.

Labels are names of the configuration and addresses: those of a name are bounded (locate.ENDPOINTS_MAX).
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from switch.trunks.registration import RegistrationState

if TYPE_CHECKING:
    from switch.trunks.trunks import Trunks


def trunk_metrics(trunks: "Trunks", of_trunk: Mapping[str, int]) -> Iterator[Metric]:
    """Called from the metrics thread; only reads."""
    carriers = trunks.carriers
    yield _by_trunk(
        "offhook_trunk_calls",
        "Calls at once",
        {c.trunk.name: of_trunk.get(c.trunk.name, 0) for c in carriers},
    )
    up = GaugeMetricFamily(
        "offhook_trunk_up", "1 while the address answers: its breaker is closed", labels=["trunk", "address"]
    )
    opened = CounterMetricFamily(
        "offhook_trunk_breaker_opened", "How often the address fell silent", labels=["trunk", "address"]
    )
    for carrier in carriers:
        for endpoint, breaker in list(carrier.breakers.items()):
            up.add_metric([carrier.trunk.name, str(endpoint)], int(breaker.is_closed))
            opened.add_metric([carrier.trunk.name, str(endpoint)], breaker.opened)
    yield up
    yield opened
    yield from _registrations(trunks)
    skipped = CounterMetricFamily(
        "offhook_trunk_skipped", "Calls that passed a trunk over", labels=["trunk", "reason"]
    )
    for (name, why), count in list(trunks.skipped.items()):
        skipped.add_metric([name, why], count)
    yield skipped
    yield CounterMetricFamily(
        "offhook_trunk_options_sent", "OPTIONS sent to trunks", value=trunks.health.sent
    )
    yield CounterMetricFamily(
        "offhook_trunk_dialogs_redirected",
        "Dialogs that go on at another address than the INVITE's",
        value=trunks.redirected,
    )
    yield CounterMetricFamily(
        "offhook_trunk_contacts_unfollowed",
        "Contacts and routes of carriers that lead nowhere",
        value=trunks.unfollowed,
    )
    yield CounterMetricFamily(
        "offhook_large_requests_by_tcp", "Requests over 1300 bytes sent by TCP", value=trunks.large.by_tcp
    )
    yield CounterMetricFamily(
        "offhook_large_requests_fell_back",
        "Large requests that went by UDP, as the peer took no TCP",
        value=trunks.large.fell_back,
    )
    names = trunks.names
    yield GaugeMetricFamily("offhook_dns_names", "Names that are kept", value=names.count)
    yield GaugeMetricFamily(
        "offhook_dns_names_failing", "Names that could not be looked up the last time", value=names.failing
    )
    yield CounterMetricFamily("offhook_dns_lookups", "Look-ups of names that ended", value=names.looked_up)
    yield CounterMetricFamily(
        "offhook_dns_lookup_failures", "Look-ups that name servers did not answer", value=names.failed
    )
    yield CounterMetricFamily(
        "offhook_dns_names_refused", "Names of dialogs beyond the limit", value=names.refused
    )


def _registrations(trunks: "Trunks") -> Iterator[Metric]:
    registered: dict[str, int] = {}
    expires_s: dict[str, int] = {}
    failures: dict[str, int] = {}
    for carrier in trunks.carriers:
        registration = carrier.registration
        if registration is not None:
            name = carrier.trunk.name
            registered[name] = int(registration.state is RegistrationState.REGISTERED)
            expires_s[name] = registration.granted_s
            failures[name] = registration.failures
    yield _by_trunk("offhook_trunk_registered", "1 while we are registered with the carrier", registered)
    yield _by_trunk(
        "offhook_trunk_registration_granted_seconds", "What the registrar granted the last time", expires_s
    )
    family = CounterMetricFamily(
        "offhook_trunk_registration_failures", "Tries to register that failed", labels=["trunk"]
    )
    for name, count in failures.items():
        family.add_metric([name], count)
    yield family


def _by_trunk(name: str, text: str, values: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["trunk"])
    for trunk, value in values.items():
        family.add_metric([trunk], value)
    return family
