"""A call as one of its carriers may see it: the legs of that trunk and their messages, which he has seen himself.

Only what is named here goes along. Of our customer that is the numbers of the call; not who he is, what he pays, where
he called from, what he dialled, or which other carriers were tried.
"""

import re
from typing import Final

import msgspec

from care.story import CallStory
from provisioning.views import CdrView
from rating.records import Cdr
from switch.calls.attempt_fee import ATTEMPT_LEG

# Everything else of a record is blank: a field that is added later is not in a bundle before somebody has named it.
_KEPT: Final = (
    "call_id", "leg", "setup_at_ms", "ringing_at_ms", "answered_at_ms", "ended_at_ms", "network_number",
    "presentation_number", "privacy", "destination", "trunk", "duration_ms", "sip_status", "q850_cause", "outcome",
    "ended_by", "source_address", "destination_address", "sip_call_id", "user_agent", "post_dial_delay_ms",
    "is_emergency",
)  # fmt: skip
# A destination may also be the name of a line, which is nobody's business.
_NUMBER: Final = re.compile(r"\+?[0-9*#]{1,32}")


class BundleError(ValueError):
    """There is nothing to give to a carrier, or it must be said to which."""


def trunks_of(story: CallStory) -> list[str]:
    """The trunks that the call came from or was tried over."""
    return sorted({view.cdr.trunk for view in story.legs if view.cdr.trunk})


def carrier_view(story: CallStory, trunk: str) -> CallStory:
    """The story without whatever is not this trunk's. Raises BundleError when the call has no leg there."""
    rows = [view.cdr for view in story.legs if view.cdr.trunk == trunk and view.cdr.leg < ATTEMPT_LEG]
    if not trunk or not rows:
        known = ", ".join(trunks_of(story)) or "none"
        raise BundleError(f"call {story.call_id} has no leg over trunk {trunk!r}; it has: {known}")
    legs = {row.leg for row in rows}
    trace = story.trace
    if trace is not None:
        messages = [message for message in trace.messages if message.leg in legs]
        started = messages[0].at_us if messages else rows[0].setup_at_ms * 1000
        ended = messages[-1].at_us if messages else rows[-1].ended_at_ms * 1000
        used = sorted({message.flow for message in messages if 0 <= message.flow < len(trace.flows)})
        places = {flow: place for place, flow in enumerate(used)}
        trace = msgspec.structs.replace(
            trace,
            started_at_us=started,
            ended_at_us=ended,
            why="",
            flows=[trace.flows[flow] for flow in used],
            messages=[msgspec.structs.replace(each, flow=places.get(each.flow, -1)) for each in messages],
        )
    no_trace = "" if trace is not None else "none was kept"
    return CallStory(legs=[CdrView(_kept(row), "", "") for row in rows], trace=trace, no_trace=no_trace)


def is_theirs(row: Cdr) -> bool:
    """Whether the call came from the carrier; else it went to him."""
    return row.leg == 0


def ended_by_words(row: Cdr) -> str:
    """Which side ended it, as the carrier would say it: "you" is he."""
    theirs = "caller" if is_theirs(row) else "callee"
    return {"exchange": "our exchange", theirs: "you", "": ""}.get(row.ended_by, "our side")


def _kept(row: Cdr) -> Cdr:
    blank = {name: _blank(getattr(row, name)) for name in row.__struct_fields__ if name not in _KEPT}
    kept = msgspec.structs.replace(row, **blank)
    kept.leg_reason = f"trunk {row.trunk}"
    kept.reason = f"SIP {row.sip_status}, Q.850 cause {row.q850_cause}"
    if _NUMBER.fullmatch(row.destination) is None:
        kept.destination = ""
    return kept


def _blank(value: object) -> object:
    match value:
        case bool():
            return False
        case int():
            return 0
        case str():
            return ""
        case _:
            return None
