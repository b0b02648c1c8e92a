"""Every Prometheus name of the switch, in one table, read from the plain counters when somebody asks.

Counting costs the call path an integer; names, labels and text are made here. Labels come from our own tables, so
nothing from the wire can grow a series. /healthz says that the process turns; /readyz that it can take calls.
"""

import socket
from collections.abc import Iterable, Iterator, Mapping
from threading import Thread
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from switch.bundle_metrics import bundle_metrics
from switch.buying_metrics import buying_metrics
from switch.cli_metrics import cli_metrics
from switch.edge_view import edge_metrics
from switch.message_metrics import message_metrics
from switch.queue_metrics import queue_metrics
from switch.registration_metrics import registration_metrics
from switch.relay.browser_view import browser_metrics
from switch.relay.view import relay_metrics
from switch.safety_metrics import safety_metrics
from switch.service_metrics import service_metrics
from switch.sip.counts import Histogram
from switch.trace_metrics import trace_metrics
from switch.trunk_metrics import trunk_metrics
from switch.voicemail_metrics import voicemail_metrics
from switch.watch_metrics import watch_metrics

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    from switch.process import SwitchProcess

MICROS_PER_POUND = 1_000_000


class SwitchCollector(Collector):
    """Reads one running switch. It is called from the metrics thread and only reads."""

    def __init__(self, process: "SwitchProcess") -> None:
        self._process = process

    def collect(self) -> Iterator[Metric]:
        yield from self._calls()
        yield from self._sip()
        yield from self._door()
        yield from self._events()
        yield from self._money()
        yield from self._records()
        yield from self._loop()
        yield from edge_metrics(self._process.edge_counts)
        if self._process.exchange.relay is not None:
            yield from relay_metrics(self._process.exchange.relay)
            if self._process.exchange.relay.gates is not None:
                yield from browser_metrics(self._process.exchange.relay.gates)
        yield from trunk_metrics(self._process.exchange.trunks, self._process.exchange.board.of_trunk)
        yield from trace_metrics(self._process)
        yield from buying_metrics(self._process.exchange)
        yield from voicemail_metrics(self._process.exchange)
        yield from registration_metrics(self._process.exchange.registration_events)
        yield from message_metrics(self._process.exchange.messaging)
        yield from safety_metrics(self._process.exchange.board.safety)
        yield from bundle_metrics(self._process.exchange.engine.bundles)
        yield from cli_metrics(self._process.exchange.board)
        yield from service_metrics(self._process.exchange)
        yield from queue_metrics(self._process.exchange.board, self._process.now())
        yield from watch_metrics(self._process.exchange)

    def _calls(self) -> Iterator[Metric]:
        exchange = self._process.exchange
        counts = exchange.counts
        yield _counters("offhook_calls_ended", "Calls that ended, by outcome", "outcome", counts.outcomes)
        yield _counters(
            "offhook_calls_refused", "Calls refused before ringing, by reason", "reason", counts.refusals
        )
        yield _gauge("offhook_calls_live", "Calls ringing or up", len(exchange.board.calls))
        yield _gauge("offhook_legs", "Dialogs of calls", len(exchange.board.legs))
        yield _counter("offhook_emergency_calls", "Emergency calls", counts.emergency_calls)
        yield _counter("offhook_calls_recovered", "Calls ended after a restart", counts.recovered_calls)
        yield _counter(
            "offhook_answers_not_recorded",
            "Answers that the journal did not take in time",
            counts.gate_closed,
        )
        yield _counter(
            "offhook_flow_failovers",
            "Calls offered to a phone's next flow or a customer trunk's next address",
            counts.flow_failovers,
        )
        yield _gauge(
            "offhook_call_rates", "Lines held to a limit of calls per second", len(exchange.board.call_rates)
        )
        yield _counter("offhook_stray_answers", "Answers nobody waited for, hung up", counts.stray_answers)
        yield _counter(
            "offhook_session_refreshes",
            "Ends of calls asked whether they are there",
            counts.session_refreshes,
        )
        yield _counter(
            "offhook_calls_silent", "Calls that the relay heard nothing of, both ends asked", counts.silences
        )
        yield _counter(
            "offhook_sdp_unreadable",
            "Session descriptions that crossed without the relay, being none",
            counts.unreadable_descriptions,
        )
        yield _counters(
            "offhook_calls_vanished", "Calls ended for want of a sign of life, by end", "end", counts.vanished
        )
        yield _counter("offhook_talk_seconds", "Seconds between answer and end", counts.talk_ms / 1000)
        yield _histogram(
            "offhook_trying_delay_seconds",
            "INVITE received to 100 sent; an INVITE answered within 200 ms gets none",
            exchange.sip_counts.trying_delay,
        )
        yield _histogram(
            "offhook_post_dial_delay_seconds",
            "INVITE received to first 18x passed on",
            counts.post_dial_delay,
        )
        yield _histogram(
            "offhook_answer_delay_seconds", "INVITE received to 200 passed on", counts.answer_delay
        )

    def _sip(self) -> Iterator[Metric]:
        exchange = self._process.exchange
        sip = exchange.sip_counts
        received = CounterMetricFamily(
            "offhook_sip_received", "First copies and repeats of SIP messages received", labels=["kind"]
        )
        sent = CounterMetricFamily("offhook_sip_sent", "SIP messages sent, repeats apart", labels=["kind"])
        _add_all(received, sip.received_requests, sip.received_responses)
        _add_all(sent, sip.sent_requests, sip.sent_responses)
        yield received
        yield sent
        yield _counter("offhook_sip_retransmissions_received", "Repeats absorbed", sip.retransmissions_in)
        yield _counter("offhook_sip_retransmissions_sent", "Repeats sent", sip.retransmissions_out)
        yield _counters(
            "offhook_sip_refused_at_door", "Messages that could not be parsed", "reason", sip.parse_errors
        )
        yield _counters("offhook_sip_dropped", "Messages dropped", "reason", sip.dropped)
        yield _counters(
            "offhook_sip_quirks",
            "Messages let through although they break the RFC, by how",
            "quirk",
            sip.quirks,
        )
        yield _gauge(
            "offhook_sip_transactions", "Transactions that have not ended", exchange.stack.transactions_count
        )
        yield _gauge("offhook_timers", "Timers held, cancelled ones included", exchange.timers.queued_count)
        yield _gauge("offhook_registrations", "Bindings", exchange.bindings.count)
        yield _counters("offhook_registers", "REGISTER by status", "status", exchange.counts.registrations)
        yield _counters("offhook_logins", "Credentials checked, by result", "result", exchange.counts.logins)
        yield _counters(
            "offhook_unidentified_requests",
            "Requests without an identity",
            "method",
            exchange.counts.unidentified,
        )
        yield _counter("offhook_pings_sent", "OPTIONS sent to phones behind NAT", exchange.keepalive.sent)
        yield _counter(
            "offhook_pings_failed", "OPTIONS or INVITE without any answer", exchange.keepalive.failures
        )
        counts = [listener.counts for listener in self._process.turns.udp_listeners]
        yield _counter(
            "offhook_udp_send_errors",
            "Datagrams the kernel refused",
            sum(each.send_errors for each in counts),
        )
        yield _counter(
            "offhook_udp_link_local",
            "Datagrams from addresses of one link (fe80::), dropped",
            sum(each.link_local for each in counts),
        )

    def _door(self) -> Iterator[Metric]:
        exchange = self._process.exchange
        bans = exchange.door.bans
        dialogs = exchange.dialog_screening
        yield _gauge("offhook_bans", "Sources banned, and lines shut to a source", bans.count)
        yield _counters("offhook_bans_begun", "Bans since start, by reason", "reason", bans.begun)
        yield _counter("offhook_bans_not_taken", "Bans for which there was no room", bans.not_taken)
        yield _gauge("offhook_login_failure_sources", "Sources with wrong logins lately", bans.sources_count)
        yield _counter(
            "offhook_login_failures_untracked", "Wrong logins for which there was no room", bans.untracked
        )
        yield _counter(
            "offhook_lines_attacked",
            "Lines tried from many sources within an hour",
            exchange.door.lines_attacked,
        )
        yield _gauge(
            "offhook_answer_budgets",
            "Sources whose unauthenticated requests are counted",
            exchange.door.budgets_count,
        )
        yield _counter(
            "offhook_dialog_requests_challenged",
            "Requests in a call from elsewhere, challenged",
            dialogs.challenged,
        )
        yield _counter(
            "offhook_dialog_requests_refused",
            "Requests in a call not from an address of its trunk",
            dialogs.refused,
        )
        yield _counter(
            "offhook_dialog_requests_throttled", "Requests in a call that came too fast", dialogs.throttled
        )
        yield _counter("offhook_dialogs_moved", "Sides of a call followed to another flow", dialogs.moved)

    def _events(self) -> Iterator[Metric]:
        exchange = self._process.exchange
        counts, notifier = exchange.events.counts, exchange.events.notifier
        held = GaugeMetricFamily(
            "offhook_subscriptions", "Subscriptions, by event package", labels=["package"]
        )
        for name, count in notifier.of_package.items():
            held.add_metric([name], count)
        yield held
        yield _counters("offhook_subscribes", "SUBSCRIBE by status", "status", counts.subscribes)
        yield _counters("offhook_notifies", "NOTIFY by result", "result", counts.notifies)
        yield _counters(
            "offhook_subscriptions_ended",
            "Subscriptions ended, by reason",
            "reason",
            counts.subscriptions_ended,
        )
        publications = exchange.events.publications
        yield _gauge("offhook_publications", "Published documents", len(publications.by_tag))
        yield _gauge("offhook_published_bytes", "Bytes of published documents", publications.bytes_held)
        yield _counters("offhook_publishes", "PUBLISH by status", "status", counts.publishes)
        yield _counters("offhook_refers", "REFER in calls by status", "status", exchange.counts.refers)
        yield _counters(
            "offhook_transfers", "Transfers begun, by kind, and what came to nothing", "kind", exchange.counts.transfers
        )

    def _money(self) -> Iterator[Metric]:
        exchange = self._process.exchange
        engine = exchange.engine
        yield _gauge("offhook_reservations", "Reservations of credit", engine.reservations_count)
        charged = exchange.counts.charged_micros / MICROS_PER_POUND
        yield _counter("offhook_charged_pounds", "Charged for calls since start", charged)
        yield _counter("offhook_settlements", "Reservations settled", engine.counts.settled)
        yield _counter(
            "offhook_settlements_overrun", "Calls cut later than allowed", engine.counts.overrun_settlements
        )
        yield _counter(
            "offhook_credit_gaps", "Credits that left a gap in their sequence", engine.counts.credit_gaps
        )
        shortages = {reason.value: count for reason, count in engine.shortages.items()}
        yield _counters("offhook_reservations_refused", "Reservations refused", "reason", shortages)

    def _records(self) -> Iterator[Metric]:
        process = self._process
        journal = process.journal
        yield _gauge("offhook_journal_pending_frames", "Records not yet durable", journal.pending_frames)
        yield _gauge(
            "offhook_journal_commit_seconds", "Last measured flush to durable", journal.commit_latency_s
        )
        yield _gauge("offhook_journal_up", "1 while the journal commits", int(journal.is_ready))
        yield _gauge(
            "offhook_database_up", "1 while PostgreSQL can be reached", int(process.books_state.is_up)
        )
        yield _gauge(
            "offhook_unshipped_batches", "Journal batches not yet in PostgreSQL", process.unshipped_batches
        )
        yield _counter(
            "offhook_records_shipped", "Records shipped to PostgreSQL", process.books_state.records_shipped
        )
        yield _counter("offhook_records_quarantined", "Records set aside", process.books_state.quarantined)
        yield _counter(
            "offhook_conf_reload_failures", "Changed configuration refused", process.reload_failures
        )

    def _loop(self) -> Iterator[Metric]:
        process = self._process
        yield _histogram("offhook_event_loop_lag_seconds", "How late a 100 ms timer fired", process.loop_lag)
        yield _counters(
            "offhook_part_reconnects",
            "Links to parts beside the switch that broke",
            "part",
            process.link_reconnects,
        )
        yield _counter(
            "offhook_bugs", "Exceptions caught at a border: report them", process.exchange.counts.bugs
        )


def serve_metrics(process: "SwitchProcess", host: str, port: int) -> WSGIServer:
    """Serve /metrics, /healthz and /readyz from a thread. Raises OSError when the address is taken."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(SwitchCollector(process))
    metrics_app = make_wsgi_app(registry)

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        match environ.get("PATH_INFO"):
            case "/metrics":
                result: Iterable[bytes] = metrics_app(environ, start_response)
                return result
            case "/healthz":
                return _plain(start_response, "200 OK", "ok")
            case "/readyz":
                reason = process.not_ready_reason()
                return _plain(
                    start_response, "503 Service Unavailable" if reason else "200 OK", reason or "ready"
                )
            case _:
                return _plain(start_response, "404 Not Found", "there is /metrics, /healthz and /readyz")

    server_class = _Ipv6Server if ":" in host else WSGIServer
    server = make_server(host, port, app, server_class=server_class, handler_class=_QuietHandler)
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


class _Ipv6Server(WSGIServer):
    address_family = socket.AF_INET6


class _QuietHandler(WSGIRequestHandler):
    timeout = 5  # a client that says nothing must not hold the one thread

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


def _plain(start_response: "StartResponse", status: str, text: str) -> list[bytes]:
    start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
    return [text.encode() + b"\n"]


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value=value)


def _counters(name: str, text: str, label: str, values: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in list(values.items()):
        family.add_metric([key], value)
    return family


def _add_all(family: CounterMetricFamily, requests: Mapping[str, int], responses: Mapping[int, int]) -> None:
    for method, count in list(requests.items()):
        family.add_metric([method], count)
    for status, count in list(responses.items()):
        family.add_metric([str(status)], count)


def _histogram(name: str, text: str, histogram: Histogram) -> HistogramMetricFamily:
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip([*map(str, histogram.bounds), "+Inf"], list(histogram.buckets), strict=True):
        total += count
        buckets.append((bound, total))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=histogram.sum)
