"""What call services add to the metrics: calls by what they are for, conferences, calls of our own, limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Set
from typing import TYPE_CHECKING

from voicemail.metric_families import by, counter, gauge, gauge_by
from voicemail.mixing import PARTIES_MAX
from voicemail.reception import RINGING_MAX

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from voicemail.process import VoicemailProcess
    from voicemail.session import Session


def service_metrics(process: VoicemailProcess, sessions: Set[Session]) -> Iterator[Metric]:
    """`sessions` are a copy: this runs in the metrics thread."""
    counts, conferences = process.counts, process.conferences
    kinds = dict.fromkeys(list(counts.calls), 0) | Counter(session.kind for session in sessions)
    live = list(conferences.by_name.values())
    yield gauge_by("calls_live_by_kind", "Calls now, by what they are for", "kind", kinds)
    yield gauge(
        "calls_out_ringing", "Calls of our own that nobody has answered yet", process.reception.ringing
    )
    yield by("calls_out", "Calls that the switch asked for, by result", "result", counts.calls_out)
    yield by(
        "handovers", "Calls given back to the switch by REFER, by its answer", "answer", counts.handovers
    )
    yield gauge("conferences_live", "Conferences now", len(live))
    yield gauge("conference_parties", "Parties of all conferences", sum(len(each.parties) for each in live))
    yield counter("clips_skipped", "Prompts that were asked for and are not there", process.clips.skipped)
    held = {"music": process.music.bytes_held, "accounts": process.own_prompts.bytes_held}
    yield gauge_by("sound_bytes", "Encoded sound in memory, by what it is", "kind", held)
    limits = {
        "calls": process.conf.calls_max,
        "conferences": process.conf.conferences_max,
        "conference_parties": PARTIES_MAX,
        "calls_out_ringing": RINGING_MAX,
    }
    yield gauge_by("limits", "What there may be at once", "what", limits)
