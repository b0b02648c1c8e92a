"""What the billing process counts, and how Prometheus reads it."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from billing.complaints.due import ComplaintCounts
from provisioning.service import UNREACHABLE

# Rows that wait, by what they wait for: asked of the books now and then, never while somebody reads metrics.
WAITING_SQL: Final = """
    SELECT (SELECT count(*) FROM payment_events WHERE applied_at IS NULL AND set_aside_at IS NULL) AS news,
           (SELECT count(*) FROM payment_events WHERE set_aside_at IS NOT NULL) AS news_set_aside,
           (SELECT count(*) FROM payment_returns WHERE state IN ('reserved', 'cleared')) AS refunds,
           (SELECT count(*) FROM statement_lines WHERE state = 'unmatched') AS statement_lines,
           (SELECT count(*) FROM mails WHERE sent_at IS NULL AND gave_up_at IS NULL) AS mails,
           (SELECT count(*) FROM mails WHERE gave_up_at IS NOT NULL) AS mails_given_up,
           (SELECT count(*) FROM subscriptions WHERE state = 'active' AND unpaid_since IS NOT NULL) AS unpaid_services,
           (SELECT count(*) FROM subscriptions WHERE state = 'active' AND unpaid_since IS NULL
             AND charged_until < (now() AT TIME ZONE 'Europe/London')::date) AS uncharged_periods,
           (SELECT count(*) FROM subscription_notices WHERE way = 'post' AND posted_on IS NULL) AS contract_letters,
           (SELECT count(*) FROM outage_credits WHERE state = 'proposed') AS outage_credits,
           (SELECT count(*) FROM arrears WHERE rung <> '') AS accounts_in_arrears,
           (SELECT count(*) FROM accounts WHERE settings ? 'restriction') AS accounts_restricted,
           (SELECT count(*) FROM arrears_holds WHERE ended_on IS NULL) AS arrears_holds,
           (SELECT count(*) FROM arrears_letters WHERE posted_on IS NULL) AS letters_to_post
"""


class BillingCounts:
    """Counters of one life of the process. `waiting` is from the books: see WAITING_SQL."""

    __slots__ = (
        "answers", "bugs", "complaints", "credited", "due_failures", "due_finished_at", "mails_failed", "mails_sent",
        "news_repeated", "news_stored", "waiting",
    )  # fmt: skip
    unreachable = UNREACHABLE

    def __init__(self) -> None:
        self.answers: Counter[int] = Counter()
        self.news_stored = 0
        self.news_repeated = 0
        self.credited = 0
        self.mails_sent = 0
        self.mails_failed = 0
        self.due_failures = 0
        self.due_finished_at = 0.0
        self.bugs = 0
        self.waiting: dict[str, int] = {}
        self.complaints = ComplaintCounts()


class BillingCollector(Collector):
    """Called from the thread of the metrics' server; only reads."""

    def __init__(self, counts: BillingCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        counts = self._counts
        answers = CounterMetricFamily(
            "offhook_billing_webhook_answers", "Webhooks answered, by HTTP status", labels=["status"]
        )
        for status, number in sorted(counts.answers.copy().items()):
            answers.add_metric([str(status)], number)
        yield answers
        for name, text, value in (
            (
                "offhook_billing_news_stored",
                "Verified news of providers stored for the first time",
                counts.news_stored,
            ),
            ("offhook_billing_news_repeated", "Verified news that was there before", counts.news_repeated),
            ("offhook_billing_payments_credited", "Payments credited by this process", counts.credited),
            ("offhook_billing_mails_sent", "Mails that a server has taken", counts.mails_sent),
            ("offhook_billing_mails_failed", "Attempts to send a mail that failed", counts.mails_failed),
            ("offhook_billing_due_failures", "Areas of the daily work that failed", counts.due_failures),
            ("offhook_billing_bugs", "Exceptions caught at a border: report them", counts.bugs),
        ):
            yield CounterMetricFamily(name, text, value=value)
        yield GaugeMetricFamily(
            "offhook_billing_due_finished_seconds",
            "When the daily work was last done",
            value=counts.due_finished_at,
        )
        waiting = GaugeMetricFamily(
            "offhook_billing_waiting", "Rows of the books that wait for somebody", labels=["what"]
        )
        for what, rows in sorted(counts.waiting.items()):
            waiting.add_metric([what], rows)
        yield waiting
        yield from _of_complaints(counts.complaints)


def _of_complaints(complaints: ComplaintCounts) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "offhook_complaints_open", "Complaints that are not closed", value=complaints.open
    )
    overdue = GaugeMetricFamily(
        "offhook_complaints_overdue",
        "Open complaints past their time: not acknowledged, or without the letter about the scheme",
        labels=["what"],
    )
    overdue.add_metric(["acknowledgement"], complaints.acknowledgements_overdue)
    overdue.add_metric(["letter"], complaints.letters_overdue)
    yield overdue
