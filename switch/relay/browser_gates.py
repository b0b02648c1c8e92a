"""The switch's end of the browsers' process: the gates it was granted and those in use, and what is to be said.

Pure, as relay.py is: a gate is taken from those that are open already, so a call never waits. While the process is away
there are none, and a browser's descriptions cross as they are.
"""

from collections import deque
from typing import Protocol

from media.browser.messages import (
    Aim,
    Attach,
    BrowserCounts,
    Close,
    Connect,
    Connected,
    FromBrowsers,
    FromSwitch,
    Gate,
    Granted,
    Hello,
    Lost,
    Take,
)


class GateUser(Protocol):
    """Whose gate it is: a leg's media."""

    def on_gate_lost(self, reason: str, now: float) -> None:
        """The browser is not there, or the process has died: nothing will be heard of it any more."""


class BrowserGates:
    """One per switch."""

    __slots__ = (
        "_epoch", "_is_linked", "_process_epoch", "_ready", "_users", "counts", "fingerprint", "missing", "outgoing",
    )  # fmt: skip

    def __init__(self, epoch: str) -> None:
        """`epoch` names this life of the switch."""
        self._epoch = epoch
        self._process_epoch = ""
        self._is_linked = False
        self._ready: deque[Gate] = deque()
        self._users: dict[int, GateUser] = {}
        self.fingerprint = ("", "")
        self.outgoing: list[FromSwitch] = []
        self.counts = BrowserCounts()
        self.missing = 0

    @property
    def is_here(self) -> bool:
        return self._is_linked

    @property
    def in_use(self) -> int:
        return len(self._users)

    @property
    def ready(self) -> int:
        return len(self._ready)

    def take(self, user: GateUser) -> Gate | None:
        """A gate, at once; None while the process has none to give."""
        if not self._ready:
            self.missing += 1
            return None
        gate = self._ready.popleft()
        self._users[gate.number] = user
        self._tell(Take(gate.number))
        return gate

    def aim(self, gate: Gate, host: str, port: int, rtcp_port: int) -> None:
        self._tell(Aim(gate.number, host, port, rtcp_port))

    def connect(self, message: Connect) -> None:
        self._tell(message)

    def close(self, gate: Gate) -> None:
        if self._users.pop(gate.number, None) is not None:
            self._tell(Close(gate.number))

    def lost(self) -> None:
        """The link is down. The gates in use may go on; those that were granted are granted again."""
        self._is_linked = False
        self._ready.clear()
        self.outgoing.clear()

    def hear(self, message: FromBrowsers, now: float) -> None:
        match message:
            case Hello(epoch=epoch, fingerprint=fingerprint):
                self._greet(epoch, fingerprint, now)
            case Granted(gates=gates):
                self._ready.extend(gate for gate in gates if gate.number not in self._users)
            case Connected():
                pass  # counted there
            case Lost(gate=number, reason=reason):
                user = self._users.pop(number, None)
                if user is not None:
                    user.on_gate_lost(reason, now)
            case BrowserCounts():
                self.counts = message

    def _greet(self, epoch: str, fingerprint: tuple[str, str], now: float) -> None:
        """A new process knows none of our gates: their browsers are not heard again."""
        is_new = epoch != self._process_epoch
        self._process_epoch = epoch
        self._is_linked = True
        self.fingerprint = fingerprint
        self._ready.clear()
        self.outgoing.append(Attach(self._epoch, in_use=() if is_new else tuple(self._users)))
        if is_new:
            users, self._users = list(self._users.values()), {}
            for user in users:
                user.on_gate_lost("the process ended", now)

    def _tell(self, message: FromSwitch) -> None:
        if self._is_linked:
            self.outgoing.append(message)
