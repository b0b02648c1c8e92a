"""A dialog as a row of the journal (RFC 3261 12): what dialog.py needs to make it again after a restart."""

import msgspec

from switch.sip.flow import Flow


class DialogState(msgspec.Struct, array_like=True, frozen=True):
    """Everything a dialog remembers, as a row of the journal. New fields go to the end, with a default."""

    call_id: str
    local_tag: str
    remote_tag: str | None
    local: str
    remote: str
    local_cseq: int
    remote_cseq: int | None
    route_set: list[str]
    remote_target: str
    flow: Flow
    is_early: bool
    fallback_flow: Flow | None = None
