"""`offhook voicemail status`: what the voicemail server is doing now, by the figures that it gives to Prometheus."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from offhook.exit_codes import CommandError, ExitCode
from switch.conf_values import Address
from voicemail.metric_families import PREFIX

ANSWER_WAIT_S: Final = 3.0
# A server's whole page has some 20 kB.
PAGE_BYTES_MAX: Final = 1_000_000

# What is shown, by the name of its metric: the words, and which limit stands beside it.
SHOWN: Final = (
    ("calls_live", "calls", "calls"),
    ("recordings_live", "messages being recorded", ""),
    ("calls_out_ringing", "calls of its own, ringing", "calls_out_ringing"),
    ("conferences_live", "conferences", "conferences"),
    ("conference_parties", "parties of conferences", ""),
    ("mail_queue", "mails waiting", ""),
    ("switch_away", "switch away", ""),
    ("clips_skipped_total", "prompts asked for that are not there", ""),
    ("bugs_total", "calls that a bug ended", ""),
)
KINDS: Final = "calls_live_by_kind"
LIMITS: Final = "limits"

Figures = dict[str, dict[str, float]]  # by metric, by the value of its one label, "" without one


def fetch_figures(address: Address | None) -> Figures:
    """Raises CommandError where nobody answers."""
    if address is None:
        raise CommandError("[voicemail] metrics is switched off, and says nothing of what is going on")
    try:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=ANSWER_WAIT_S) as answer:
            page = answer.read(PAGE_BYTES_MAX).decode("utf-8", "replace")
    except (OSError, urllib.error.URLError):
        text = f"voicemail does not answer at {address}; it runs with `offhook up`"
        raise CommandError(text, ExitCode.UNREACHABLE) from None
    return read_figures(page)


def read_figures(page: str) -> Figures:
    """Of Prometheus' text format."""
    figures: Figures = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            label = next(iter(sample.labels.values()), "")
            figures.setdefault(sample.name.removeprefix(PREFIX), {})[label] = sample.value
    return figures


def status_facts(figures: Figures) -> Iterator[tuple[str, str]]:
    """What is shown, with the limits where there are some."""
    limits = figures.get(LIMITS, {})
    for name, words, limit in SHOWN:
        value = figures.get(name, {}).get("")
        if value is None:
            continue
        most = limits.get(limit)
        yield words, f"{value:.0f}" if most is None else f"{value:.0f} of {most:.0f}"
        if name == "calls_live":
            for kind, count in sorted(figures.get(KINDS, {}).items()):
                yield f"  {kind}", f"{count:.0f}"
