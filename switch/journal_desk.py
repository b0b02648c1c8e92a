"""The journal as calls see it (switch/calls/switchboard.py, Journal)."""

from rating.journal.link import JournalLink
from switch.calls.switchboard import Put


class JournalDesk:
    """The journal as calls see it: failed from a lost answer or a failed commit until one succeeds."""

    __slots__ = ("_is_failing", "_link")

    def __init__(self, link: JournalLink) -> None:
        self._link = link
        self._is_failing = False

    @property
    def is_failed(self) -> bool:
        return self._is_failing or self._link.is_failed

    def append(self, puts: list[Put], outbox: list[bytes], *, is_urgent: bool) -> int:
        return self._link.append(puts, outbox, is_urgent=is_urgent)

    def answer_lost(self) -> None:
        self._is_failing = True

    def failed(self) -> None:
        self._is_failing = True

    def committed(self) -> None:
        self._is_failing = False
