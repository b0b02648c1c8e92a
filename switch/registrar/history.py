"""The history of registrations: changes as records for the journal, few enough whatever phones and scanners do.

Nothing here is needed to serve anybody: when there is too much of it, it is counted and left out. A request of a phone
is told by what it said, clipped. Pure: `now` is monotonic seconds, records carry UTC milliseconds.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import Final, NamedTuple

from provisioning.storable import storable
from rating.records import RegistrationEvent
from switch.registrar.bindings import Binding
from switch.registrar.changes import MOVED, Change
from switch.sip.flow import Flow
from switch.sip.host import host_port
from switch.sip.message import Request

# Records that go to the journal in one second. A call writes a handful, so an outage of a whole town costs the journal
# no more than a busy hour; 100,000 phones have been told in less than four minutes.
EVENTS_PER_SECOND_MAX: Final = 500
# What may wait for that, some 600 bytes each.
WAITING_MAX: Final = 50_000
# A NAT may give another port at each renewal, and phones renew each minute: within this the moves of a phone are one
# record.
MOVES_WINDOW_S: Final = 900.0
# Phones whose moves are counted; of more, each move is a record of its own.
MOVES_MAX: Final = 20_000
# Changes of one line on record in a quarter of an hour. Ten phones that all come and go twice stay below; whoever
# registers and leaves without end must not fill the disk with it.
LINE_WINDOW_S: Final = 900.0
LINE_EVENTS_MAX: Final = 40
# Lines counted so: as many as may change something within the window. Above it nothing is held back; the queue bounds.
LINES_MAX: Final = 100_000
# Of what phones say. Real Contacts and Vias have 30 to 300 characters.
TEXT_CHARS_MAX: Final = 512
HOST_CHARS_MAX: Final = 80
# Behind the Via stands where the Call-ID says that it was made, as routers that rewrite the rest often forget it.
CALL_ID_MARK: Final = " call-id@"


class Evidence(NamedTuple):
    """What a request says of its sender, as it will be kept."""

    contact: str = ""
    via: str = ""
    user_agent: str = ""


def evidence_of(request: Request) -> Evidence:
    headers = request.headers
    via = _clipped(", ".join(headers.values("via")))
    _, at, host = (headers.get("call-id") or "").rpartition("@")
    return Evidence(
        _clipped(headers.get("contact") or ""),
        f"{via}{CALL_ID_MARK}{_clipped(host, HOST_CHARS_MAX)}" if at else via,
        _clipped(headers.get("user-agent") or ""),
    )


def _clipped(text: str, chars_max: int = TEXT_CHARS_MAX) -> str:
    return storable(text[:chars_max])[:chars_max]


class _Moves:
    """Of one phone: `source` is where the last record left it, `last` the move that is not on record yet."""

    __slots__ = ("at", "count", "last", "source")

    def __init__(self, at: float, source: str) -> None:
        self.at = at
        self.source = source
        self.count = 0
        self.last: tuple[Binding, Flow, Evidence, float] | None = None


class _LinePace:
    __slots__ = ("at", "count")

    def __init__(self, at: float) -> None:
        self.at = at
        self.count = 0


class History:
    """The records that wait for the journal. `ms` gives UTC of monotonic seconds, `mint` an unguessable word,
    `account_of` a line's account."""

    __slots__ = (
        "_account_of",
        "_lines",
        "_mint",
        "_moves",
        "_ms",
        "_number",
        "_waiting",
        "counts",
        "dropped",
        "held_back",
    )

    def __init__(
        self, *, ms: Callable[[float], int], mint: Callable[[], str], account_of: Callable[[str], int | None]
    ) -> None:
        self._ms = ms
        self._mint = mint
        self._account_of = account_of
        self._waiting: deque[RegistrationEvent] = deque()
        self._moves: dict[tuple[str, str], _Moves] = {}
        self._lines: dict[str, _LinePace] = {}
        self._number = 0
        self.counts: Counter[str] = Counter()
        self.dropped = 0  # there was no room
        self.held_back = 0  # of lines that change without end

    @property
    def waiting_count(self) -> int:
        return len(self._waiting)

    @property
    def tracked_count(self) -> int:
        """Phones whose moves, and lines whose changes are counted."""
        return len(self._moves) + len(self._lines)

    def add(
        self,
        event: str,
        now: float,
        *,
        line: str = "",
        reason: str = "",
        flow: Flow | None = None,
        evidence: Evidence = Evidence(),  # noqa: B008 - immutable
        expires_s: int = 0,
        claimed: str = "",
        count: int = 1,
    ) -> None:
        """One record, if there is room."""
        self.counts[event] += 1
        if len(self._waiting) >= WAITING_MAX:
            self.dropped += 1
            return
        at_ms = self._ms(now)
        self._number += 1
        self._waiting.append(
            RegistrationEvent(
                # In the order in which it happened, within a millisecond, too.
                id=f"{at_ms:012x}{self._number & 0xFFFFFFFF:08x}{self._mint()}",
                at_ms=at_ms,
                event=event,
                line=storable(line),
                account_id=self._account_of(line) if line else None,
                reason=storable(reason),
                source=host_port(flow.remote_host, flow.remote_port) if flow is not None else "",
                transport=flow.transport if flow is not None else "",
                contact=evidence.contact,
                via=evidence.via,
                user_agent=evidence.user_agent,
                expires_s=expires_s,
                claimed=_clipped(claimed, HOST_CHARS_MAX),
                count=count,
            )
        )

    def changed(
        self, change: Change, now: float, flow: Flow | None = None, request: Request | None = None
    ) -> None:
        """A binding is new, elsewhere, or no more; `flow` and `request` are those of a REGISTER that did it."""
        binding = change.binding
        evidence = Evidence(_clipped(binding.contact), "", binding.user_agent)
        if request is not None and change.event not in ("left", "removed"):
            evidence = evidence._replace(via=evidence_of(request).via)
        at = flow if flow is not None and evidence.via else binding.flow
        if change.event == MOVED:
            self._moved(change, at, evidence, now)
            return
        moves = self._moves.get(_phone(binding))
        if moves is not None:
            self._tell_moves(binding.user, moves)
            moves.source = host_port(at.remote_host, at.remote_port)
        reason = change.reason
        if change.was is not None and change.was != at:
            reason = f"from {host_port(change.was.remote_host, change.was.remote_port)}"
        self._of_line(change.event, binding, reason, at, evidence, now)

    def take(self, count_max: int = EVENTS_PER_SECOND_MAX) -> list[RegistrationEvent]:
        """The oldest, for the journal."""
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(count_max, len(waiting)))]

    def on_second(self, now: float) -> None:
        """Moves whose quarter of an hour is over, and what need not be remembered any more."""
        while self._moves:
            phone, moves = next(iter(self._moves.items()))
            if now - moves.at < MOVES_WINDOW_S:
                break
            del self._moves[phone]
            if moves.count:
                self._tell_moves(phone[0], moves)
                moves.at = now
                self._moves[phone] = moves
        while self._lines:
            line, pace = next(iter(self._lines.items()))
            if now - pace.at < LINE_WINDOW_S:
                break
            del self._lines[line]

    def tell_all_moves(self) -> None:
        """The exchange closes down: what was counted is told now."""
        for (line, _), moves in self._moves.items():
            self._tell_moves(line, moves)

    def _moved(self, change: Change, at: Flow, evidence: Evidence, now: float) -> None:
        phone = _phone(change.binding)
        moves = self._moves.get(phone)
        if moves is not None:
            moves.count += 1
            moves.last = change.binding, at, evidence, now
            return
        before = change.was or at
        source = host_port(before.remote_host, before.remote_port)
        if len(self._moves) < MOVES_MAX:
            self._moves[phone] = _Moves(now, host_port(at.remote_host, at.remote_port))
        self._of_line(MOVED, change.binding, f"from {source}", at, evidence, now)

    def _tell_moves(self, line: str, moves: _Moves) -> None:
        if moves.last is None:
            return
        binding, at, evidence, when = moves.last
        self._of_line(MOVED, binding, f"from {moves.source}", at, evidence, when, count=moves.count)
        moves.source = host_port(at.remote_host, at.remote_port)
        moves.count, moves.last = 0, None

    def _of_line(
        self,
        event: str,
        binding: Binding,
        reason: str,
        at: Flow,
        evidence: Evidence,
        now: float,
        *,
        count: int = 1,
    ) -> None:
        line = binding.user
        pace = self._lines.get(line)
        if pace is None and len(self._lines) < LINES_MAX:
            pace = self._lines[line] = _LinePace(now)
        if pace is not None:
            pace.count += 1
            if pace.count > LINE_EVENTS_MAX:
                self.held_back += 1
                return
        expires_s = max(0, round(binding.expires_at - now)) if event in ("registered", "moved", "back") else 0
        self.add(
            event,
            now,
            line=line,
            reason=reason,
            flow=at,
            evidence=evidence,
            expires_s=expires_s,
            count=count,
        )


def _phone(binding: Binding) -> tuple[str, str]:
    """What is the same when a phone comes from elsewhere, and after it was started anew."""
    return binding.user, binding.instance or binding.user_agent
