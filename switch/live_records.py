"""Records of calls that are up, as they would be if they ended now: what the fault desk finds and explains meanwhile.

A customer rings while the call he complains of still rings. Each answer is made of copies; nothing of a call changes.
"""

from collections.abc import Container
from typing import TYPE_CHECKING, Final

import msgspec

from rating.records import Cdr, MediaFigures
from switch.calls.call_state import CallState
from switch.calls.cdr import Ending, complete, join_rows
from switch.calls.open_call import OPEN
from switch.relay.figures import media_figures

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.switchboard import Switchboard
    from switch.relay.relay import Relay

# Each costs some 15 us of the process that calls go through (one that is passed over 3 us), and a page shows no more.
CALLS_MAX: Final = 200
_OPEN: Final = Ending(OPEN, 0, 0, "", "")
_ENDED: Final = "answered"


class LiveQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which calls: one by its id, or those begun within a time with a leg that has all of `texts` among its facts.

    A text is a line, a number, a trunk or a SIP Call-ID, as a record has it. Times are UTC milliseconds.
    """

    call_id: str = ""
    since_ms: int = 0
    until_ms: int = 1 << 53
    texts: list[str] = []


def live_records(board: "Switchboard", question: LiveQuestion, now: float) -> list[list[Cdr]]:
    """One list a call, leg 0 first; the latest calls first, at most CALLS_MAX."""
    found: list[list[Cdr]] = []
    if question.call_id:
        call = board.calls.get(question.call_id)
        return [] if call is None or call.state is CallState.ENDED else [_records(call, now)]
    for call in reversed(board.calls.values()):
        if len(found) >= CALLS_MAX:
            break
        if call.state is not CallState.ENDED and _is_asked(call.rows, question):
            found.append(_records(call, now))
    return found


def live_media(relay: "Relay", call_id: str, now_ms: int) -> list[MediaFigures]:
    """What each end of a call has sent so far, as the relay said last."""
    return [
        media_figures(endpoint.label, figures, now_ms)
        for endpoint in relay.endpoints.values()
        if endpoint.label.startswith(f"{call_id}/")
        and (figures := relay.figures.get(endpoint.number)) is not None
    ]


def _is_asked(rows: list[Cdr], question: LiveQuestion) -> bool:
    if not any(question.since_ms <= row.setup_at_ms < question.until_ms for row in rows):
        return False
    return all(any(text in _texts(row) for row in rows) for text in question.texts)


def _texts(row: Cdr) -> Container[str]:
    return (
        row.line, row.trunk, row.network_number, row.presentation_number, row.destination, row.ddi, row.sip_call_id
    )  # fmt: skip


def _records(call: "Call", now: float) -> list[Cdr]:
    clock = call.board.clock
    rows = [msgspec.structs.replace(row) for row in call.rows]
    for leg in (call.caller_leg, *call.callee_legs):
        row = rows[leg.index]
        complete(row, leg, _OPEN, clock, now)
        if leg.ended_at is not None and row.outcome == OPEN:  # it has left a conversation that goes on
            row.outcome = _ENDED
    for meter in call.meters:
        rows[meter.row].cost_micros = meter.cost_micros(now)
    return join_rows(rows, None if call.answered_leg is None else call.answered_leg.index)
