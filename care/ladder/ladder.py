"""From all that is known of a call to its ladder. Pure: the records and the trace come in, a picture's parts go out.

The messages are those of the trace, each as it passed the exchange. Between them stand the events that only the
records know: from when the call was charged, why a leg failed, who ended it. Without a trace these events are the whole
ladder, so that a call that nobody traced has a picture, too.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from care.ladder.model import Ladder, Rung
from care.ladder.participants import Columns, address_words, joined, together
from care.ladder.session_facts import sound_words
from care.ladder.sip_facts import SipFacts, sip_facts
from care.story import CallStory
from provisioning.printable import shorten
from rating.records import Cdr
from switch.calls.attempt_fee import ATTEMPT_LEG
from traces.call_trace import CallTrace, TraceMessage

# Caller, exchange and four more: what fits on a screen with labels that can be read.
COLUMNS_MAX: Final = 6
# A pause that a person on the phone notices; two more and he says "hello?".
LATE_US: Final = 1_000_000
LABEL_CHARS_MAX: Final = 48
FACT_CHARS_MAX: Final = 120
UNREADABLE: Final = "(unreadable)"
# Answers that ask for credentials: every call of a phone begins with one (RFC 3261 22).
CHALLENGES: Final = frozenset({401, 407})
# The INVITE that a CANCEL has ended (RFC 3261 9.2).
TERMINATED: Final = 487

PEOPLES_ENDINGS: Final = frozenset({"answered", "busy", "cancelled", "declined", "no_answer", "open"})


def ladder_of(story: CallStory, *, columns_max: int = COLUMNS_MAX) -> Ladder:
    """All rungs in order of time. `columns_max` is at least 3; phones beyond it are put together."""
    columns = Columns(story)
    # What a record says happened in a millisecond stands after the messages that made it happen.
    rungs = [(rung.at_us, 0, rung) for rung in _message_rungs(story.trace, columns)]
    rungs += [
        (rung.at_us + 999, _step(rung, columns.exchange), rung) for rung in _event_rungs(story, columns)
    ]
    ordered = [rung for _, _, rung in sorted(rungs, key=lambda each: each[:2])]
    ladder = Ladder(
        call_id=shorten(story.call_id),
        participants=columns.participants,
        rungs=_timed(ordered),
        notes=_notes(story),
    )
    return folded(ladder, columns_max)


def _step(rung: Rung, exchange: int) -> int:
    """The order of events in one millisecond: a sign comes from the far end first, then what follows from it."""
    if rung.source == rung.target:
        return 3
    return 2 if rung.source == exchange else 1


def folded(ladder: Ladder, columns_max: int) -> Ladder:
    """The same with at most so many columns: for a narrow screen."""
    if len(ladder.participants) <= columns_max:
        return ladder
    places = together(ladder.participants, columns_max)
    participants = [
        joined([one for one, place in zip(ladder.participants, places, strict=True) if place == column])
        for column in range(max(places) + 1)
    ]
    rungs = [
        msgspec.structs.replace(rung, source=places[rung.source], target=places[rung.target])
        for rung in ladder.rungs
    ]
    return msgspec.structs.replace(ladder, participants=participants, rungs=rungs)


def _notes(story: CallStory) -> list[str]:
    trace = story.trace
    if trace is None:
        why = shorten(story.no_trace, FACT_CHARS_MAX) or "none was kept"
        return [f"There is no trace of this call: {why}. What follows is from its records."]
    if not trace.dropped:
        return []
    what = "1 message was" if trace.dropped == 1 else f"{trace.dropped} messages were"
    return [f"{what} not kept between the first and the last of the call: there was no room for more."]


def _timed(rungs: list[Rung]) -> list[Rung]:
    """With the times between them filled in."""
    timed = []
    started_at_us = before_us = rungs[0].at_us if rungs else 0
    for rung in rungs:
        since_us = max(0, rung.at_us - before_us)
        timed.append(
            msgspec.structs.replace(
                rung,
                offset_us=max(0, rung.at_us - started_at_us),
                since_us=since_us,
                is_late=since_us >= LATE_US,
            )
        )
        before_us = max(before_us, rung.at_us)
    return timed


def _message_rungs(trace: CallTrace | None, columns: Columns) -> Iterator[Rung]:
    if trace is None:
        return
    seen: dict[tuple[object, ...], int] = {}
    cancelled: set[tuple[int, str]] = set()
    for index, message in enumerate(trace.messages):
        flow = trace.flows[message.flow] if 0 <= message.flow < len(trace.flows) else None
        peer = columns.column_of(message.leg, flow)
        facts = sip_facts(message.data)
        key = _identity(message, facts)
        repeat = seen[key] = seen.get(key, -1) + 1
        words = []
        if facts is not None:
            if facts.method == "CANCEL" and facts.is_request:
                cancelled.add((message.leg, facts.branch))
            words = _facts(facts)
        if flow is not None and columns.participants[peer].address != address_words(flow):
            words.append(f"{'to' if message.is_sent else 'from'} {address_words(flow)}")
        yield Rung(
            at_us=message.at_us,
            offset_us=0,
            since_us=0,
            source=columns.exchange if message.is_sent else peer,
            target=peer if message.is_sent else columns.exchange,
            label=UNREADABLE if facts is None else _label(facts),
            leg=message.leg,
            message=index,
            repeat=repeat,
            is_unreadable=facts is None,
            cseq="" if facts is None else shorten(facts.cseq, LABEL_CHARS_MAX),
            facts=words,
            **_tone(facts, message.leg, cancelled),
        )


def _tone(facts: SipFacts | None, leg: int, cancelled: set[tuple[int, str]]) -> dict[str, bool]:
    """Whether it is an error, or no success that is none either."""
    if facts is None or facts.status < 400:
        return {}
    is_muted = facts.status in CHALLENGES
    is_muted = is_muted or (facts.status == TERMINATED and (leg, facts.branch) in cancelled)
    return {"is_muted": is_muted, "is_error": not is_muted}


def _identity(message: TraceMessage, facts: SipFacts | None) -> tuple[object, ...]:
    """What is equal in a message and its repeat (RFC 3261 17), and in nothing else.

    Provisional answers may differ under one branch and CSeq; of these only what is the same to the letter is one.
    """
    if facts is None:
        return (message.is_sent, message.leg, message.data)
    body = facts.body if 100 <= facts.status < 200 else b""
    start = facts.method if facts.is_request else facts.status
    return (
        message.is_sent,
        message.leg,
        start,
        facts.branch,
        facts.cseq,
        facts.to_tag,
        facts.field("rseq"),
        body,
    )


def _label(facts: SipFacts) -> str:
    if facts.is_request:
        name = facts.method
        if name == "INVITE" and facts.to_tag:
            name = "re-INVITE"
    else:
        name = f"{facts.status} {facts.phrase}".strip()
    return f"{shorten(name, LABEL_CHARS_MAX)}{' (SDP)' if facts.has_sdp else ''}"


def _facts(facts: SipFacts) -> list[str]:
    said = [sound_words(facts.body)] if facts.has_sdp else []
    said += [_field(facts, name.lower(), name) for name in ("Reason", "Warning", "Retry-After")]
    return [shorten(words, FACT_CHARS_MAX) for words in said if words]


def _field(facts: SipFacts, name: str, title: str) -> str:
    value = facts.field(name)
    return f"{title} {value}" if value else ""


def _event_rungs(story: CallStory, columns: Columns) -> Iterator[Rung]:
    """What the records know beside the messages; without messages, what these would have shown."""
    rows = [view.cdr for view in story.legs if view.cdr.leg < ATTEMPT_LEG]
    if not rows:
        return
    for row in rows:
        column = columns.column_of_leg(row.leg)
        if column is None:
            continue
        if story.trace is None:
            yield from _untraced(row, column, columns.exchange)
        if row.answered_at_ms is not None and row.payer_account_id is not None and row.per_minute_micros:
            yield _event(row, row.answered_at_ms, columns.exchange, "charged from here")
        if row.leg and row.outcome != "answered" and row.reason:
            yield _event(
                row, row.ended_at_ms, column, f"leg {row.leg} ended: {row.reason}", is_error=_failed(row)
            )
    ended = rows[0]
    by = {"exchange": "the exchange"}.get(ended.ended_by, f"the {ended.ended_by}" if ended.ended_by else "")
    words = f"ended by {by}: {ended.reason}" if by else f"ended: {ended.reason}"
    if story.is_live:
        words = "still up when this was asked"
    yield _event(ended, ended.ended_at_ms, columns.exchange, words, is_error=_failed(ended))


def _failed(row: Cdr) -> bool:
    """A person's no is no failure."""
    return row.outcome not in PEOPLES_ENDINGS


def _untraced(row: Cdr, column: int, exchange: int) -> Iterator[Rung]:
    calling, called = (exchange, column) if row.leg else (column, exchange)
    yield _event(row, row.setup_at_ms, calling, "called", target=called)
    if row.ringing_at_ms is not None:
        yield _event(row, row.ringing_at_ms, called, "ringing", target=calling)
    if row.answered_at_ms is not None:
        yield _event(row, row.answered_at_ms, called, "answered", target=calling)


def _event(
    row: Cdr, at_ms: int, column: int, words: str, *, target: int | None = None, is_error: bool = False
) -> Rung:
    return Rung(
        at_us=at_ms * 1000,
        offset_us=0,
        since_us=0,
        source=column,
        target=column if target is None else target,
        label=shorten(words, FACT_CHARS_MAX),
        leg=row.leg,
        is_error=is_error,
    )
