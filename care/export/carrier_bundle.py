"""What one command gives to a carrier: a zip with the messages of his leg, as capture and as ladder, records and words.

Made from the carrier's view of the call alone (carrier_view.py), so that nothing else can slip in.
"""

import io
import zipfile
from collections.abc import Iterator
from typing import Final

from care.export.carrier_view import carrier_view, ended_by_words, is_theirs
from care.export.moments import utc_text_ms
from care.export.pcapng import pcapng_file
from care.ladder import ladder_of
from care.ladder.ladder import CHALLENGES
from care.ladder.sip_facts import SipFacts, sip_facts
from care.ladder.text import draw, seconds_words
from care.story import CallStory
from provisioning.csv_output import Cell, csv_text
from provisioning.printable import shorten
from rating.records import Cdr

LADDER_WIDTH: Final = 110
RECORD_HEADS: Final = (
    "our_call_id", "leg", "direction", "setup_utc", "ringing_utc", "answered_utc", "ended_utc", "talked_ms", "from",
    "to", "sip_call_id", "your_address", "our_address", "sip_status", "q850_cause", "your_final_answer", "your_reason",
    "our_final_answer", "our_reason", "ended_by",
)  # fmt: skip
# The same files for the same call, whenever they are made.
_ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)


def carrier_bundle(story: CallStory, trunk: str) -> bytes:
    """A zip of README.txt, records.csv, ladder.txt and, where there is a trace, trace.pcapng. Raises BundleError."""
    view = carrier_view(story, trunk)
    files = {
        "README.txt": readme(view).encode("utf-8", "backslashreplace"),
        "records.csv": records_csv(view).encode("utf-8", "backslashreplace"),
        "ladder.txt": ("\n".join(draw(ladder_of(view), LADDER_WIDTH)) + "\n").encode(
            "utf-8", "backslashreplace"
        ),
    }
    if view.trace is not None:
        files["trace.pcapng"] = pcapng_file(view)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return made.getvalue()


def readme(view: CallStory) -> str:
    """What happened, as we see it, in a paragraph a leg; and what the other files are."""
    about = [f"Call {shorten(view.call_id)}, as our exchange (Offhook) saw it. All times are UTC."]
    about += [_paragraph(each.cdr, _Said(view, each.cdr.leg)) for each in view.legs]
    files = ["records.csv   times, numbers and causes of both sides", "ladder.txt    the messages, drawn"]
    if view.trace is None:
        files.append("No SIP messages of this call were kept.")
    else:
        files.append("trace.pcapng  the messages, for Wireshark")
        if view.trace.dropped:
            files.append(f"{view.trace.dropped} messages of the whole call were not kept.")
    return "\n\n".join([*about, "\n".join(files)]) + "\n"


def records_csv(view: CallStory) -> str:
    """One row for each leg of the carrier's."""
    return (
        csv_text(RECORD_HEADS, [_record(each.cdr, _Said(view, each.cdr.leg)) for each in view.legs]) + "\r\n"
    )


class _Said:
    """The last word of either side in the messages of a leg: the final answer to its INVITE, and the Reason with it.

    A side's Reason is that of its final answer, or of its BYE or CANCEL, whichever was the last to have one.
    """

    def __init__(self, view: CallStory, leg: int) -> None:
        self.answers = {False: "", True: ""}
        self.reasons = {False: "", True: ""}
        for is_sent, facts in _messages(view, leg):
            reason = facts.field("reason")
            if facts.method == "INVITE" and facts.status >= 200 and facts.status not in CHALLENGES:
                self.answers[is_sent] = shorten(f"{facts.status} {facts.phrase}".strip())
                self.reasons[is_sent] = shorten(reason, 120) or self.reasons[is_sent]
            elif facts.is_request and facts.method in {"BYE", "CANCEL"}:
                self.reasons[is_sent] = shorten(reason, 120) or self.reasons[is_sent]


def _messages(view: CallStory, leg: int) -> Iterator[tuple[bool, SipFacts]]:
    if view.trace is None:
        return
    for message in view.trace.messages:
        facts = sip_facts(message.data) if message.leg == leg else None
        if facts is not None:
            yield message.is_sent, facts


def _record(row: Cdr, said: _Said) -> list[Cell]:
    yours, ours = row.destination_address, row.source_address
    if is_theirs(row):
        yours, ours = ours, yours
    return [
        row.call_id, row.leg, "from you" if is_theirs(row) else "to you", utc_text_ms(row.setup_at_ms),
        utc_text_ms(row.ringing_at_ms), utc_text_ms(row.answered_at_ms), utc_text_ms(row.ended_at_ms), row.duration_ms,
        _caller(row), row.destination, row.sip_call_id, yours, ours, row.sip_status, row.q850_cause,
        said.answers[False], said.reasons[False], said.answers[True], said.reasons[True], ended_by_words(row),
    ]  # fmt: skip


def _paragraph(row: Cdr, said: _Said) -> str:
    """In our words, from this leg's own record and messages."""
    numbers = f"from {_caller(row) or 'an unknown number'} to {row.destination or 'a number of ours'}"
    way = "You sent us a call" if is_theirs(row) else "We sent you a call"
    words = [
        f"{way} {numbers} at {utc_text_ms(row.setup_at_ms)} (SIP Call-ID {shorten(row.sip_call_id, 120)})."
    ]
    who, them = ("We", True) if is_theirs(row) else ("You", False)
    if row.ringing_at_ms is not None:
        words.append(f"{who} signalled ringing after {_after(row, row.ringing_at_ms)}.")
    if row.answered_at_ms is not None:
        words.append(f"{who} answered after {_after(row, row.answered_at_ms)}.")
        by = ended_by_words(row)
        ended = f"was ended by {by}" if by else "ended"
        words.append(
            f"The call lasted {seconds_words(row.duration_ms * 1000)} and {ended} at {utc_text_ms(row.ended_at_ms)}"
            f" (Q.850 cause {row.q850_cause})."
        )
    elif row.outcome == "cancelled":
        words.append(
            f"It was cancelled by {ended_by_words(row) or 'a side'} after {_after(row, row.ended_at_ms)}."
        )
    elif said.answers[them]:
        words.append(f"{who} answered {said.answers[them]} after {_after(row, row.ended_at_ms)}.")
    else:
        words.append(
            f"It came to nothing after {_after(row, row.ended_at_ms)}: SIP {row.sip_status}, Q.850 cause"
            f" {row.q850_cause}, decided by {ended_by_words(row) or 'a side'}."
        )
    for is_ours, name in ((False, "Your"), (True, "Our")):
        if said.reasons[is_ours]:
            words.append(f"{name} Reason: {said.reasons[is_ours]}.")
    return " ".join(words)


def _after(row: Cdr, at_ms: int) -> str:
    return seconds_words(max(0, at_ms - row.setup_at_ms) * 1000)


def _caller(row: Cdr) -> str:
    return row.presentation_number or row.network_number
