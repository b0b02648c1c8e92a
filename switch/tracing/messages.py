"""To which call a message belongs: the one whose leg has its Call-ID.

An INVITE that belongs to none is a stranger's until somebody makes a call of it, which is in the same turn or, after a
challenge, with the next one. Everything else that belongs to no call - REGISTER, OPTIONS, SUBSCRIBE - is not noted.
"""

import re
from typing import Final

from switch.calls.switchboard import WallClock
from switch.sip.flow import Flow
from switch.tracing.call_log import LoggedLeg
from switch.tracing.ring import Ring
from traces.secret_bodies import METHODS, REQUESTS, without_answered_secrets, without_secrets

# As we write it. A response has its peer's way of writing the name, which may be another.
_OURS: Final = b"\r\nCall-ID: "
_theirs: Final = re.compile(rb"\r\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r\n", re.IGNORECASE)
_NO_BODY: Final = b"\r\n\r\n"

# What waits for the mirror between two looks, a tenth of a second apart: as many as ten thousand messages a second.
MIRRORED_MAX: Final = 2000
# Call id, `now`, code, flow, octets; and the UTC seconds at `now` 0.
MIRROR_STRIDE: Final = 5


class Messages:
    """`mirrored` is what is to be sent on as it comes, five places a message; None where nobody wants it."""

    __slots__ = ("_clock", "_legs", "mirror_dropped", "mirrored", "ring")

    def __init__(self, ring: Ring, clock: WallClock) -> None:
        self.ring = ring
        self._legs = ring.by_sip_call_id
        self._clock = clock
        self.mirrored: list[object] | None = None
        self.mirror_dropped = 0

    def requested(self, method: str, now: float, call_id: str, flow: Flow, data: bytes) -> None:
        """A request that came."""
        leg = self._legs.get(call_id)
        if leg is None:
            if method != "INVITE":
                return
            leg = self.ring.stranger(call_id, flow, now, self._clock.offset_s)
            if leg is None:
                return
        elif method in METHODS:
            data = without_secrets(data)
        self._note(leg, now, flow, data, is_sent=False)

    def answered(self, now: float, call_id: str, flow: Flow, data: bytes) -> None:
        """A response that came."""
        leg = self._legs.get(call_id)
        if leg is not None:
            if not data.endswith(_NO_BODY):
                data = without_answered_secrets(data)
            self._note(leg, now, flow, data, is_sent=False)

    def sent(self, now: float, flow: Flow, data: bytes) -> None:
        """A body of ours comes after our Call-ID, and a response of ours carries no body of its peer."""
        start = data.find(_OURS)
        if start >= 0:
            start += 11
            name = data[start : data.find(b"\r\n", start)]
        else:
            match = _theirs.search(data)
            if match is None:
                return
            name = match[1]
        leg = self._legs.get(name.decode("utf-8", "surrogateescape"))
        if leg is None:
            return
        if data.startswith(REQUESTS):
            data = without_secrets(data)
        elif data.startswith(b"SIP/2.0") and not data.endswith(_NO_BODY):
            data = without_answered_secrets(data)
        self._note(leg, now, flow, data, is_sent=True)

    def _note(self, leg: LoggedLeg, now: float, flow: Flow, data: bytes, *, is_sent: bool) -> None:
        """Also for the other calls that have its Call-ID, and for the mirror."""
        code = leg.sent if is_sent else leg.received
        self.ring.note(leg, now, code, flow, data)
        also = leg.also
        while also is not None:
            self.ring.note(also, now, also.sent if is_sent else also.received, flow, data)
            also = also.also
        if self.mirrored is not None:
            self._mirror(leg, now, code, flow, data)

    def _mirror(self, leg: LoggedLeg, now: float, code: int, flow: Flow, data: bytes) -> None:
        mirrored = self.mirrored
        assert mirrored is not None
        if len(mirrored) >= MIRRORED_MAX * MIRROR_STRIDE:
            self.mirror_dropped += 1
            return
        log = leg.log
        mirrored += [log.call_id or log.sip_call_ids[0], now, code, flow, data]
