"""What the operator sees of services: Prometheus names, lines of `offhook status`, rows of `offhook reminders`."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from switch.exchange import Exchange


def service_status(exchange: "Exchange") -> dict[str, object]:
    """For `offhook status`."""
    services = exchange.services
    return {
        "service_codes": dict(services.results),
        "service_codes_waiting": services.waiting,
        "reminders": services.reminders.count,
        "ring_backs": services.ring_backs.waiting,
        "last_callers": len(services.last_callers),
        "parked_calls": len(exchange.board.parked),
    }


def reminder_rows(exchange: "Exchange") -> list[dict[str, object]]:
    """Each line's, in their order. Nothing is said of whom a line called or was called by."""
    reminders = sorted(exchange.services.reminders, key=lambda reminder: (reminder.at_ms, reminder.user))
    return [
        {"line": reminder.user, "at_ms": reminder.at_ms, "tries": reminder.tries, "every": reminder.every}
        for reminder in reminders
    ]


def service_metrics(exchange: "Exchange") -> Iterator[Metric]:
    """Called from the metrics thread; only reads."""
    services = exchange.services
    yield _counters(
        "offhook_service_codes", "Service codes dialled, by what they are about", "about", services.codes
    )
    yield _counters(
        "offhook_service_code_results",
        "Service codes by what came of them; too_late: the books did not answer in time, late_done: they did so later",
        "result",
        services.results,
    )
    yield GaugeMetricFamily(
        "offhook_service_codes_waiting", "Codes that wait for the books", value=services.waiting
    )
    yield GaugeMetricFamily(
        "offhook_last_callers", "Lines whose last caller is known", value=len(services.last_callers)
    )
    parked = exchange.board.parked
    yield GaugeMetricFamily("offhook_parked_calls", "Calls that are parked", value=len(parked))
    yield _counters(
        "offhook_parked_calls_by_event",
        "Calls parked, retrieved, rung back at who parked them (returns) and answered there (returned); full: no room",
        "event",
        parked.counts,
    )
    reminders, ring_backs, out_calls = services.reminders, services.ring_backs, services.out_calls
    yield GaugeMetricFamily("offhook_reminders", "Reminders that are set", value=reminders.count)
    yield CounterMetricFamily("offhook_reminders_rung", "Reminders whose time came", value=reminders.rung)
    yield CounterMetricFamily(
        "offhook_reminders_missed", "Reminders that could not be made in time", value=reminders.missed
    )
    yield GaugeMetricFamily("offhook_ring_backs", "Lines that wait for another one", value=ring_backs.waiting)
    yield _counters(
        "offhook_ring_backs_ended",
        "Ring backs by what became of them",
        "result",
        {"rung": ring_backs.rung, "lapsed": ring_backs.lapsed},
    )
    yield CounterMetricFamily(
        "offhook_out_calls", "Calls that the media server was asked to make", value=out_calls.asked
    )
    yield CounterMetricFamily(
        "offhook_out_call_failures", "Those that it did not make", value=out_calls.failures
    )


def _counters(name: str, text: str, label: str, values: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in list(values.items()):
        family.add_metric([key], value)
    return family
