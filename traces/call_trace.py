"""The SIP messages of one call, over all its legs: what the switch gives to the process that keeps traces.

It is also what is kept (traces/store.py), drawn as a ladder and exported. Every struct is array-like: a field may be
appended with a default, never moved, so that a newer process reads what an older one has written.
"""

import msgspec

UNKNOWN_LEG = -1


class TraceFlow(msgspec.Struct, array_like=True, frozen=True):
    """A path to a peer, as switch/sip/flow.py has it: addresses are bare literals, `transport` is a Via's word."""

    transport: str
    remote_host: str
    remote_port: int
    local_host: str
    local_port: int


class TraceMessage(msgspec.Struct, array_like=True, frozen=True):
    """One message as it was on the wire, each repeat of it too, but for what was taken out of it (traces/redaction.py).

    `at_us` is UTC, microseconds: of the turn that received it, or in which it was given to the socket. `flow`
    is an index into the trace's flows. `leg` is that of the CDR it belongs to, UNKNOWN_LEG where it belongs to
    none.
    """

    at_us: int
    is_sent: bool
    leg: int
    flow: int
    data: bytes


class CallTrace(msgspec.Struct, array_like=True):
    """All messages of one call, in order.

    `why` says why it was kept: "failed", "short", "repeated", "bad sound", "watched", "sampled", "all", "asked";
    several are separated by ", ". `dropped` is how many there was no room for: the first ones and the last ones of a
    call are kept (switch/tracing). `partners` are the call ids of those that were joined with it to one
    conversation: by a transfer, a pick-up, or a call that was taken over.
    """

    call_id: str
    started_at_us: int
    ended_at_us: int
    why: str
    flows: list[TraceFlow]
    messages: list[TraceMessage]
    dropped: int = 0
    partners: list[str] = []
