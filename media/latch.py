"""Where a peer is: which address its packets are taken from, and which one gets ours.

A phone behind NAT writes an address into its SDP that cannot be reached; where it really is, its first packets tell.
Whoever may take part in that guessing can be given somebody else's call (RTP bleed, CVE-2025-53399), so:

- Only addresses of `sources` are ever looked at, however early or often others send.
- The SDP's own address, when it is one of them, is sent to before anything was heard and wins with its first packet,
  for WINDOW_S also over a candidate. From then on nothing moves the stream but another description.
- Another port of a trusted address is a candidate. It gets nothing, and nothing of it is passed on, until it has sent
  CONFIRM_PACKETS of one SSRC in a row while nobody whom we knew before said a word.
- After that the stream moves to another port of the same address only if it goes on there (same SSRC, the next
  sequence numbers) or if the old one was silent for SILENT_S; then again by a run of packets.

Pure. Addresses are what `recvfrom` gives: (host, port) of IPv4, (host, port, 0, 0) of IPv6.
"""

from __future__ import annotations

from typing import Final

from media.quality import Stream

SocketAddress = tuple[str, int] | tuple[str, int, int, int]

# A run that chance or a stray packet does not make; 80 ms of speech at 20 ms a packet.
CONFIRM_PACKETS: Final = 5
# T.38 has no SSRC, sends rarely and repeats itself.
CONFIRM_PACKETS_UNREAD: Final = 2
# After this the old port counts as gone: a hundred packets that did not come.
SILENT_S: Final = 2.0
# A candidate that says nothing for so long makes room for another.
CANDIDATE_QUIET_S: Final = 0.2
# After a new description a known peer may turn up elsewhere for so long; then it stays what it was.
WINDOW_S: Final = 5.0
# A stream that moved goes on within this many sequence numbers of where it was: one second.
CONTINUES_WITHIN: Final = 50

ACCEPTED: Final = ""
# Reasons to drop; metric labels.
STRANGER: Final = "stranger"
LATCHING: Final = "latching"
ELSEWHERE: Final = "elsewhere"


def socket_address(host: str, port: int) -> SocketAddress:
    return (host, port, 0, 0) if ":" in host else (host, port)


class Latch:
    """Where one peer is. `accepted` is whom packets are taken from, `destination` who gets ours; None: nobody."""

    __slots__ = (
        "_candidate", "_count", "_exact", "_first_at", "_is_mute", "_is_open", "_is_unread", "_last_at", "_next",
        "_sources", "_ssrc", "_taken_at", "_window_until", "accepted", "destination", "latches",
    )  # fmt: skip

    def __init__(self, *, is_unread: bool = False) -> None:
        self.accepted: SocketAddress | None = None
        self.destination: SocketAddress | None = None
        self.latches = 0
        self._exact: SocketAddress | None = None
        self._sources: tuple[str, ...] = ()
        self._is_mute = True
        self._is_open = True
        self._is_unread = is_unread
        self._window_until = 0.0
        self._candidate: SocketAddress | None = None
        self._count = 0
        self._ssrc = 0
        self._next = 0
        self._first_at = 0.0
        self._last_at = 0.0
        self._taken_at = 0.0

    @property
    def exact(self) -> SocketAddress | None:
        """The SDP's address, if packets may be sent to it and taken from it."""
        return self._exact

    @property
    def is_open(self) -> bool:
        """Whether the peer is still looked for."""
        return self._is_open

    @property
    def is_exact(self) -> bool:
        """Whether the peer was heard at the very address of its SDP."""
        return self.accepted is not None and self.accepted == self._exact

    def may_come_from(self, host: str) -> bool:
        return host in self._sources

    def aim(
        self,
        exact: SocketAddress | None,
        sources: tuple[str, ...],
        *,
        is_mute: bool,
        is_new: bool,
        now: float,
    ) -> None:
        """What the peer's last description says. `exact` None: its address cannot be used. `is_new`: it names another
        address than before, so that the peer is looked for anew."""
        self._exact = exact if exact is not None and exact[0] in sources else None
        self._sources = sources
        self._is_mute = is_mute
        if self.accepted is not None and self.accepted[0] not in sources:
            self.accepted = None
        if is_new or self.accepted is None:
            self._is_open = not self.is_exact
            self._candidate = None
        if is_new:
            self._window_until = now + WINDOW_S
        self._direct()

    def restore(self, address: SocketAddress, now: float) -> bool:
        """Where a relay before this one had found the peer: nobody is looked for again. Whether that is believed."""
        if self.accepted is not None or address[0] not in self._sources:
            return False
        self._take(address, now)
        self._window_until = 0.0
        return True

    def tick(self, now: float) -> None:
        """The window after a description closes: who was there before has stayed there."""
        if self._is_open and self.accepted is not None and now >= self._window_until:
            self._is_open = False
            self._candidate = None
            self._direct()

    def heard(self, source: SocketAddress, ssrc: int, sequence: int, now: float, known: Stream) -> str:
        """A packet from another address than `accepted`: why to drop it, or ACCEPTED, and it is the peer from now on.

        `known` is what was accepted before.
        """
        if source[0] not in self._sources:
            return STRANGER
        if source == self._exact and (self._is_open or now < self._window_until):
            self._take(source, now)
            return ACCEPTED
        if not self._is_open and not self._may_move(source, ssrc, sequence, now, known):
            return ELSEWHERE
        return self._probe(source, ssrc, sequence, now, known)

    def _may_move(self, source: SocketAddress, ssrc: int, sequence: int, now: float, known: Stream) -> bool:
        """By rule, without a new description: to another port of the same address."""
        accepted = self.accepted
        if accepted is None or self.is_exact or source[0] != accepted[0]:
            return False
        if now - max(known.last_at, self._taken_at) >= SILENT_S:
            return True
        if self._is_unread or ssrc != known.ssrc:
            return False
        return 0 < (sequence - known.highest) & 0xFFFF <= CONTINUES_WITHIN

    def _probe(self, source: SocketAddress, ssrc: int, sequence: int, now: float, known: Stream) -> str:
        """The next packet of a candidate. It is confirmed by its run, if the peer that was there is quiet meanwhile."""
        if source != self._candidate:
            is_taken = self._candidate is not None and now - self._last_at < CANDIDATE_QUIET_S
            if is_taken and not self._is_better(source):
                return LATCHING
            self._begin(source, now)
        elif self._is_interrupted(ssrc, sequence, known):
            self._begin(source, now)
        self._count += 1
        self._ssrc = ssrc
        self._next = (sequence + 1) & 0xFFFF
        self._last_at = now
        if self._count < (CONFIRM_PACKETS_UNREAD if self._is_unread else CONFIRM_PACKETS):
            return LATCHING
        self._take(source, now)
        return ACCEPTED

    def _is_interrupted(self, ssrc: int, sequence: int, known: Stream) -> bool:
        """Whether a candidate's run is broken: by its own numbers, or by a word of the peer that was there before."""
        if not self._is_unread and (ssrc != self._ssrc or sequence != self._next):
            return True
        return self.accepted is not None and known.last_at >= self._first_at

    def _is_better(self, source: SocketAddress) -> bool:
        assert self._candidate is not None
        return self._sources.index(source[0]) < self._sources.index(self._candidate[0])

    def _begin(self, source: SocketAddress, now: float) -> None:
        self._candidate = source
        self._count = 0
        self._first_at = now

    def _take(self, source: SocketAddress, now: float) -> None:
        self.accepted = source
        self._taken_at = now
        self._is_open = False
        self._candidate = None
        self.latches += 1
        self._direct()

    def _direct(self) -> None:
        if self._is_mute:
            self.destination = None
        elif self._is_open and self._exact is not None:
            self.destination = self._exact
        else:
            self.destination = self.accepted
