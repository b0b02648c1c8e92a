"""Why the trace of a call is worth the disk. What the records say is asked when the call ends.

A call that nobody answered, that was busy or that the caller gave up is no fault once the phone has rung. A call that
the exchange ended itself may be one.
"""

from collections.abc import Sequence
from typing import Final
from zlib import crc32

from media.verdict import verdict_of_call
from rating.records import Cdr, MediaFigures
from switch.conf_trace import Keep, Trace

FAILED: Final = "failed"
SHORT: Final = "short"
BAD_SOUND: Final = "bad sound"
REPEATED: Final = "repeated"
WATCHED: Final = "watched"
SAMPLED: Final = "sampled"
ALL: Final = "all"
ASKED: Final = "asked"

# A plain call has 15 messages with its challenge; only one with more is looked at for repeats.
PLAIN_MESSAGES: Final = 20
# One or two messages of a call get lost on a busy Wi-Fi. A 2xx whose ACK does not arrive is repeated ten times, and
# with it the ACK (RFC 3261 13.3.1.4): then the call is cut off after half a minute, however well its record reads.
REPEATS_BAD: Final = 4

# How a call that went as calls go may end without an answer.
_USUAL: Final = frozenset({"busy", "declined"})
_USUAL_IF_IT_RANG: Final = frozenset({"cancelled", "no_answer"})


def reasons_of(call_id: str, rows: Sequence[Cdr], trace: Trace) -> list[str]:
    """At a call's end, its rows complete. What the sound was like comes later."""
    found = []
    if _has_failed(rows):
        found.append(FAILED)
    first = rows[0]
    if first.answered_at_ms is not None and first.duration_ms < trace.short_call_s * 1000:
        found.append(SHORT)
    if trace.sample_percent and crc32(call_id.encode()) % 100 < trace.sample_percent:
        found.append(SAMPLED)
    return found


def sounded_bad(rows: Sequence[Cdr], figures: Sequence[MediaFigures]) -> bool:
    """By what the relay counted; where nothing was counted nobody knows."""
    if not rows or not figures:
        return False
    return verdict_of_call([(row, [each for each in figures if each.leg == row.leg]) for row in rows]).is_bad


def was_repeated(messages: Sequence[object]) -> bool:
    """Whether the same octets came or went again and again: somebody was not heard."""
    return len(messages) > PLAIN_MESSAGES and len(messages) - len(set(messages)) >= REPEATS_BAD


def is_kept(why: Sequence[str], keep: Keep) -> bool:
    """Somebody's wish counts whatever the operator's rule is."""
    if ASKED in why or keep is Keep.ALL:
        return True
    return bool(why) and keep is Keep.FAULTS


def _has_failed(rows: Sequence[Cdr]) -> bool:
    first = rows[0]
    if first.answered_at_ms is not None:
        if first.ended_by == "exchange":
            return True
    elif first.outcome not in _USUAL and not (
        first.outcome in _USUAL_IF_IT_RANG and first.ringing_at_ms is not None
    ):
        return True
    return any(row.trunk and row.leg and (row.sip_status >= 500 or row.sip_status == 408) for row in rows)
