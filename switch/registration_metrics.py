"""Metrics of registrations: what was lost and when, refused logins by reason, lines that are away."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from switch.registration_events import RegistrationEvents


def registration_metrics(registrations: "RegistrationEvents") -> Iterator[Metric]:
    history, presence, refused = registrations.history, registrations.presence, registrations.refused
    events = CounterMetricFamily(
        "offhook_registration_events", "Changes of registrations told to the books, by event", labels=["event"]
    )
    for event, count in list(history.counts.items()):
        events.add_metric([event], count)
    yield events
    lost = CounterMetricFamily(
        "offhook_registrations_lost",
        "Registrations that ended without a word of the phone: expired, lost (connection), silent",
        labels=["how"],
    )
    for how in ("expired", "lost", "silent"):
        lost.add_metric([how], registrations.lost[how])
    yield lost
    logins = CounterMetricFamily("offhook_logins_refused", "Refused logins, by reason", labels=["reason"])
    for reason, count in list(refused.counts.items()):
        logins.add_metric([reason], count)
    yield logins
    for name, text, value in (
        (
            "offhook_registrations_lost_at_once",
            "Registrations lost within the last minute",
            registrations.lost_at_once,
        ),
        ("offhook_registration_events_waiting", "Records not yet given to the journal", history.waiting_count),
        (
            "offhook_registration_history_tracked",
            "Phones, lines and refusals counted, so that repeats are one record",
            history.tracked_count + refused.tracked_count + presence.counted_count,
        ),
        (
            "offhook_lines_away",
            "Lines that lost their last registration and are not yet offline",
            presence.away_count,
        ),
        (
            "offhook_lines_offline",
            "Lines told offline, and not registered since",
            len(presence.offline),
        ),
        ("offhook_lines_flapping", "Lines told flapping within the last hour", len(presence.flapping)),
        (
            "offhook_registration_outage_lines",
            "Lines away when the present outage began; 0: there is none",
            presence.lines_in_outage,
        ),
    ):
        yield GaugeMetricFamily(name, text, value=value)
    for name, text, value in (
        (
            "offhook_registration_events_dropped",
            "Changes of registrations for which there was no room",
            history.dropped,
        ),
        (
            "offhook_registration_events_held_back",
            "Changes not told, of lines that change without end",
            history.held_back,
        ),
        (
            "offhook_logins_refused_untracked",
            "Refused logins for which there was no room",
            refused.untracked,
        ),
        ("offhook_registration_outages", "Times that a good part of all lines was away", presence.outages),
    ):
        yield CounterMetricFamily(name, text, value=value)
