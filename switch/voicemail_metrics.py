"""What the operator sees of voicemail from the switch's side: Prometheus names, and lines of `offhook status`."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from switch.exchange import Exchange


def voicemail_status(exchange: "Exchange") -> dict[str, object]:
    """For `offhook status`."""
    server, mailboxes = exchange.voicemail, exchange.events.mailboxes
    state = "none" if server.flow is None else "connected" if server.is_there else "away"
    new, _ = mailboxes.totals()
    return {
        "voicemail": state,
        "mailboxes": len(mailboxes),
        "messages_waiting": new,
        "announcements": server.announcing,
    }


def voicemail_metrics(exchange: "Exchange") -> Iterator[Metric]:
    """Called from the metrics thread; only reads."""
    server, events = exchange.voicemail, exchange.events
    if server.flow is not None:  # without one there is nothing to be alarmed about
        yield GaugeMetricFamily(
            "offhook_voicemail_up", "1 while the voicemail server answers", value=int(server.is_there)
        )
    yield CounterMetricFamily(
        "offhook_voicemail_lost", "Times that the voicemail server fell silent", value=server.lost
    )
    yield CounterMetricFamily(
        "offhook_voicemail_restarts", "Times that it answered as another process", value=server.restarts
    )
    yield CounterMetricFamily(
        "offhook_voicemail_calls_without_reaction",
        "Calls that the voicemail server did not react to",
        value=server.silent_calls,
    )
    yield _counters(
        "offhook_calls_diverted", "Calls sent to voicemail, by condition", "condition", server.diverted
    )
    yield _counters("offhook_announcements", "Refusals said in words", "prompt", server.announcements)
    yield GaugeMetricFamily("offhook_announcements_live", "Being said now", value=server.announcing)
    yield _counters(
        "offhook_announcements_not_made",
        "Refusals said by their code alone, because of a limit",
        "limit",
        server.announcements_refused,
    )
    new, old = events.mailboxes.totals()
    waiting = GaugeMetricFamily(
        "offhook_mailbox_messages", "Messages in all mailboxes, as last published", labels=["state"]
    )
    waiting.add_metric(["new"], new)
    waiting.add_metric(["old"], old)
    yield waiting
    yield GaugeMetricFamily("offhook_mailboxes", "Lines whose mailbox is known", value=len(events.mailboxes))
    yield GaugeMetricFamily("offhook_lamps", "Registered phones of these lines", value=len(events.lamps))
    yield _counters(
        "offhook_mailbox_publishes",
        "PUBLISH of voicemail by status",
        "status",
        events.counts.mailbox_publishes,
    )
    yield _counters(
        "offhook_lamp_notifies", "NOTIFY without a subscription, by result", "result", events.counts.lamps
    )


def _counters(name: str, text: str, label: str, values: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in list(values.items()):
        family.add_metric([key], value)
    return family
