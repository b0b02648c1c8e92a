"""1471: who called each line last, whether or not the call was answered.

Fed once for each call to a line, also for one that was refused there (busy, not registered, do not disturb) and for one
that was let in beside another. A withheld number is never kept: only that somebody withheld it, and a keyed hash by
which 14258 can refuse the same caller again (PECR 2003 reg. 10 to 15). The journal is told once a second, of so many
lines; a crash forgets the last second. What is spoken is the number that was shown, never the network's.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from switch.calls.hidden_caller import hidden_caller
from switch.calls.identity import CallerId
from switch.calls.service_records import LAST_CALLER_KEY, LastCaller, decode_last_caller, encode

# Nobody asks who rang a month ago, and it is data about a person's calls.
KEPT_MS: Final = 30 * 86_400_000
# Rows that the journal gets in a second. A storm of calls to many lines is written a little later, and only the last
# caller of each counts.
WRITTEN_MAX: Final = 200
SWEEP_MS: Final = 3_600_000

Put = tuple[str, bytes | None]


class LastCallers:
    """One a process. There are at most as many as lines."""

    __slots__ = ("_of", "_sign", "_swept_ms", "_unwritten")

    def __init__(self, sign: Callable[[str], str]) -> None:
        self._sign = sign
        self._of: dict[str, LastCaller] = {}
        self._unwritten: dict[str, None] = {}
        self._swept_ms = 0

    def __len__(self) -> int:
        return len(self._of)

    def note(self, user: str, caller_id: CallerId, at_ms: int, name: str = "", *, is_known: bool = True) -> None:
        """`name` is the line that called, which a line without a number is called back by if it has digits. `is_known`
        is False where the network number only stands for one that is missing."""
        number, network = caller_id.presentation_number, caller_id.network_number if is_known else ""
        if not number and name.isascii() and name.isdigit():
            number = name
        # Who shows another number than the network's would be met by the latter alone once he withholds it.
        known = network or number if caller_id.is_withheld else network if number and network != number else ""
        hidden = hidden_caller(self._sign, known) if known else ""
        self._of[user] = LastCaller(at_ms, "" if caller_id.is_withheld else number, caller_id.is_withheld, hidden)
        self._unwritten[user] = None

    def of(self, user: str, now_ms: int) -> LastCaller | None:
        found = self._of.get(user)
        return None if found is None or now_ms - found.at_ms > KEPT_MS else found

    def block_entries(self, last: LastCaller) -> tuple[str, ...]:
        """What 14258 changes on the line: the number that was shown, and what meets the same caller where that is
        withheld. Empty: there is nothing to know the caller by."""
        if last.number:
            hidden = last.hidden or hidden_caller(self._sign, last.number)
            return f"blocked_callers+={last.number}", f"hidden_callers+={hidden}"
        return (f"hidden_callers+={last.hidden}",) if last.hidden else ()

    def erase(self, user: str) -> None:
        """1475; also for a line that is gone."""
        if self._of.pop(user, None) is not None:
            self._unwritten[user] = None

    def on_second(self, now_ms: int) -> list[Put]:
        """What the journal is to be told now."""
        if now_ms - self._swept_ms > SWEEP_MS:
            self._swept_ms = now_ms
            for user in [user for user, last in self._of.items() if now_ms - last.at_ms > KEPT_MS]:
                self.erase(user)
        if not self._unwritten:
            return []
        users = list(self._unwritten)[:WRITTEN_MAX]
        for user in users:
            del self._unwritten[user]
        return [(LAST_CALLER_KEY + user, self._written(user)) for user in users]

    def restore(self, state: Mapping[str, bytes]) -> None:
        for key, value in state.items():
            if key.startswith(LAST_CALLER_KEY) and (found := decode_last_caller(value)) is not None:
                self._of[key[len(LAST_CALLER_KEY) :]] = found

    def users(self) -> Iterable[str]:
        return list(self._of)

    def _written(self, user: str) -> bytes | None:
        last = self._of.get(user)
        return None if last is None else encode(last)
