"""Ring back when free: who waits for which line. Pure; the call path says when a line has become free.

5 asks for it after a call to a line of this exchange that was busy. When the line becomes free, who asked first is
rung, and only when he answers is the line called: `became_free` hands him out, once. What is asked for lapses after
45 minutes, as in ETSI's call completion to busy subscriber (EN 300 359-1, 9.2: T7). It is in memory: after a restart
nobody is rung back.
"""

from typing import Final

import msgspec

KEPT_S: Final = 45 * 60.0
# BT takes five; more is somebody who rings through a list.
OF_ONE_ASKER_MAX: Final = 5
# Who comes sixth would hear nothing for most of his 45 minutes.
FOR_ONE_LINE_MAX: Final = 5
WAITING_MAX: Final = 10_000  # of the exchange: what they all together can cost is memory


class RingBack(msgspec.Struct, frozen=True):
    """`asker` is to be rung, then the line `wanted` by what was dialled, `dialled`: without the number, if it was
    without it that he called in vain."""

    asker: str
    wanted: str
    dialled: str
    until: float
    is_withheld: bool = False


class RingBacks:
    """The requests by the line that they wait for, in their order."""

    __slots__ = ("_for", "asked", "lapsed", "rung", "waiting")

    def __init__(self) -> None:
        self._for: dict[str, list[RingBack]] = {}
        self.waiting = 0
        self.asked = 0
        self.rung = 0
        self.lapsed = 0

    def ask(
        self, asker: str, wanted: str, dialled: str, now: float, *, is_withheld: bool = False
    ) -> bool:
        """False: there is no room, or it is one's own line. Asking twice is asking once, for another 45 minutes."""
        queue = self._for.get(wanted, [])
        others = [request for request in queue if request.asker != asker]
        of_asker = sum(request.asker == asker for some in self._for.values() for request in some)
        is_new = len(others) == len(queue)
        if asker == wanted or (is_new and self._is_full(of_asker, len(queue))):
            return False
        self._for[wanted] = [*others, RingBack(asker, wanted, dialled, now + KEPT_S, is_withheld)]
        self.waiting += is_new
        self.asked += 1
        return True

    def became_free(self, wanted: str, now: float) -> RingBack | None:
        """Who is to be rung because this line is free now; he waits no more."""
        queue = self._for.get(wanted)
        while queue:
            first = queue.pop(0)
            self.waiting -= 1
            if not queue:
                del self._for[wanted]
            if now < first.until:
                self.rung += 1
                return first
            self.lapsed += 1
        return None

    def first_in_line(self) -> list[tuple[str, str]]:
        """Each line that is waited for, and who is the next to be rung for it."""
        return [(wanted, queue[0].asker) for wanted, queue in self._for.items()]

    def cancel(self, asker: str) -> int:
        """Everything that a line has asked for; how much that was."""
        gone = 0
        for wanted, queue in list(self._for.items()):
            left = [request for request in queue if request.asker != asker]
            gone += len(queue) - len(left)
            self._keep(wanted, left)
        self.waiting -= gone
        return gone

    def line_removed(self, user: str) -> None:
        self.cancel(user)
        self.waiting -= len(self._for.pop(user, ()))

    def of(self, asker: str) -> list[RingBack]:
        return [request for queue in self._for.values() for request in queue if request.asker == asker]

    def on_second(self, now: float) -> None:
        """Those whose time is over are forgotten."""
        for wanted, queue in list(self._for.items()):
            if now >= queue[0].until:
                left = [request for request in queue if now < request.until]
                self.waiting -= len(queue) - len(left)
                self.lapsed += len(queue) - len(left)
                self._keep(wanted, left)

    def _is_full(self, of_asker: int, for_line: int) -> bool:
        return of_asker >= OF_ONE_ASKER_MAX or for_line >= FOR_ONE_LINE_MAX or self.waiting >= WAITING_MAX

    def _keep(self, wanted: str, left: list[RingBack]) -> None:
        if left:
            self._for[wanted] = left
        else:
            del self._for[wanted]
