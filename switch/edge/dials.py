"""Connections that the switch wants and that are still being opened, with what waits to be sent on them.

Pure.
"""

from switch.edge.limits import DIAL_QUEUE_BYTES_MAX, DIALS_MAX
from switch.sip.flow import Flow

Remote = tuple[str, str, int]  # transport, bare host, port
Sought = tuple[Remote, str]  # and the name expected there (RFC 5922), "" where the address is enough


class Dials:
    """One dial a remote address and name expected there, however many messages ask for it meanwhile."""

    __slots__ = ("_bytes", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[Sought, list[tuple[Flow, bytes]]] = {}
        self._bytes: dict[Sought, int] = {}

    def add(self, sought: Sought, flow: Flow, data: bytes) -> str | None:
        """Queues a message. A text instead of None: why not."""
        if sought not in self._waiting and len(self._waiting) >= DIALS_MAX:
            return "too many connections are being opened"
        size = self._bytes.get(sought, 0) + len(data)
        if size > DIAL_QUEUE_BYTES_MAX:
            return "too much waits for this connection"
        self._waiting.setdefault(sought, []).append((flow, data))
        self._bytes[sought] = size
        return None

    def is_dialling(self, sought: Sought) -> bool:
        return sought in self._waiting

    def finish(self, sought: Sought) -> list[tuple[Flow, bytes]]:
        """What waited for it, in order. The dial is over, one way or the other."""
        self._bytes.pop(sought, None)
        return self._waiting.pop(sought, [])
