"""An end of a call that gives no sign of life: when the call ended, and what it costs (RFC 4028 10).

A call is charged up to the last moment at which the *callee* is known to have been there: its answer, an ACK or
request of its own, its answer to a refresh. So nobody pays for a line that was dead. The caller's silence is another
matter. If it shortened the charge, a phone that ignores our refreshes would talk for free until we noticed, and call
again; so when it is the caller who has vanished, the callee is asked once more, and if it is there the call is
charged until then, as it would be until a BYE. When both have vanished, each time the callee's last sign of life is
the end.

A call whose sound is silent both ways (the relay says so) ended when the caller was last there, too: with its last
packet, or its last answer to a question of ours. Nobody talks for nothing that way, as there was nothing to hear, and
a caller that answers pays on. So what a vanished caller does not pay is the time until a silence is noticed, no more.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from switch.calls.refresh import Probe, Refresh

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.leg import Leg

WORDS = "Session timer expired"
SILENCE_WORDS = "no sound from either end, and one of them gone"


class Vanished:
    """Finds the moment. `on_known(words, until, now)` is told once or twice; the call ends at the first."""

    __slots__ = ("_callee", "_caller", "_is_probing", "_on_known")

    def __init__(self, caller: "Leg", callee: "Leg", on_known: Callable[[str, float, float], None]) -> None:
        self._caller = caller
        self._callee = callee
        self._on_known = on_known
        self._is_probing = False

    def take(self, leg: "Leg", now: float) -> None:
        """This end did not answer, or did not refresh in time, or knows no such dialog."""
        counts = leg.board.counts.vanished
        if leg is not self._caller:
            counts["callee"] += 1
            self._known(now)
        elif not self._is_probing:
            counts["caller"] += 1
            self._is_probing = True
            Probe(self._callee, self._known).send(now)

    def _known(self, now: float) -> None:
        answered_at = self._caller.answered_at
        assert answered_at is not None
        words, until = WORDS, self._callee.last_seen_at
        silent_since = self._caller.call.silent_since
        if silent_since is not None:
            words, until = SILENCE_WORDS, min(until, max(silent_since, self._caller.last_seen_at))
        self._on_known(words, max(until, answered_at), now)


def ask_silent_ends(call: "Call", now: float) -> None:
    """Nothing is heard from either end since `call.silent_since`: both are asked whether they are there.

    Silence ends no call by itself. An end that does not answer has vanished, and its last sign of life is the last
    packet.
    """
    since = call.silent_since
    assert since is not None
    call.board.counts.silences += 1
    for leg in call.talkers:
        if leg.is_up:
            leg.last_seen_at = max(leg.last_seen_at, since)
            Refresh(leg).start(now)
