"""Live queues: who waits in which row, who is served next and by whom, and who has waited too long. Pure.

Calls of one row are served in the order in which they came. When members of the queue are free, the first call that is
not being rung for gets one of them, or all of them, as the strategy says (`free_place`). A member who lets it ring is
spared for a while, so that a phone on an empty desk does not hold up the row; the call keeps its place. No timers: the
owner asks once a second, and whenever a line becomes free or a call comes.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Final

import msgspec

from switch.journey.moves import Place, PlaceKind, Queue, Strategy

# Each hears music, which is a stream of the media server and a port of the relay; a queue of its own may have a
# hundred (provisioning/plans/node_text.py).
WAITING_MAX: Final = 1000
# Rows that are remembered for their figures; one that is empty makes room.
ROWS_MAX: Final = 5000
# Somebody who does not answer is not at his desk. Long enough to reach the others, short enough for a cup of tea.
SPARED_S: Final = 30.0
# Where there is nobody else to ring: long enough that a phone which refuses at once is not called in a tight circle.
PAUSE_S: Final = 3.0

RowKey = tuple[int, str]


class Moved(msgspec.Struct, frozen=True):
    """A call's position has changed; 1 is next. `is_told`: the queue says positions."""

    call_id: str
    position: int
    is_told: bool


class Offer(msgspec.Struct, frozen=True):
    """Ring these for this call."""

    call_id: str
    places: tuple[Place, ...]
    ring_s: int


class RowView(msgspec.Struct, frozen=True):
    """A row of `offhook queues`. What was counts since the process started, or since the row was forgotten."""

    account: str
    name: str
    waiting: int
    ringing: int
    longest_wait_s: int
    entered: int
    answered: int
    gave_up: int
    timed_out: int
    turned_away: int


class _Waiting:
    """One call in a row. `ringing` are the members that ring for it now."""

    __slots__ = ("call_id", "ringing", "row", "since")

    def __init__(self, call_id: str, row: "_Row", since: float) -> None:
        self.call_id = call_id
        self.row = row
        self.since = since
        self.ringing: tuple[Place, ...] = ()


class _Row:
    __slots__ = (
        "answered",
        "calls",
        "entered",
        "gave_up",
        "key",
        "queue",
        "spared_until",
        "timed_out",
        "turn",
        "turned_away",
    )

    def __init__(self, key: RowKey, queue: Queue) -> None:
        self.key = key
        self.queue = queue
        self.calls: list[_Waiting] = []  # in their order; a hundred at most
        self.spared_until: dict[Place, float] = {}
        self.turn = 0
        self.entered = self.answered = self.gave_up = self.timed_out = self.turned_away = 0


class Queues:
    """One per process."""

    __slots__ = ("_calls", "_rows", "outcomes", "turned_away")

    def __init__(self) -> None:
        self._rows: dict[RowKey, _Row] = {}
        self._calls: dict[str, _Waiting] = {}
        self.outcomes: Counter[str] = Counter()  # answered, gave_up, timed_out
        self.turned_away: Counter[str] = Counter()  # by the limit that was reached

    def __len__(self) -> int:
        """How many calls wait."""
        return len(self._calls)

    @property
    def rows(self) -> int:
        return len(self._rows)

    def enter(self, account_id: int, queue: Queue, call_id: str, now: float) -> int:
        """The call's position in the row, from 1; 0 where there is no room. The row is as `queue` says from now on."""
        assert call_id not in self._calls, "a call waits in one row"
        row = self._row((account_id, queue.name), queue)
        if row is None:
            self.turned_away["rows"] += 1
            return 0
        if len(row.calls) >= queue.waiting_max or len(self._calls) >= WAITING_MAX:
            self.turned_away["queue" if len(row.calls) >= queue.waiting_max else "all"] += 1
            row.turned_away += 1
            return 0
        row.entered += 1
        waiting = self._calls[call_id] = _Waiting(call_id, row, now)
        row.calls.append(waiting)
        return len(row.calls)

    def has_room(self, account_id: int, queue: Queue) -> bool:
        """Whether `enter` would find room."""
        row = self._rows.get((account_id, queue.name))
        return len(self._calls) < WAITING_MAX and (row is None or len(row.calls) < queue.waiting_max)

    def position(self, call_id: str) -> int:
        """0 for a call that does not wait."""
        waiting = self._calls.get(call_id)
        return waiting.row.calls.index(waiting) + 1 if waiting is not None else 0

    def answered(self, call_id: str) -> list[Moved]:
        """Somebody has it. Those behind move up."""
        waiting = self._take(call_id)
        if waiting is None:
            return []
        waiting.row.answered += 1
        self.outcomes["answered"] += 1
        if len(waiting.ringing) == 1:
            waiting.row.spared_until.pop(waiting.ringing[0], None)
        return self._moved_up(waiting)

    def leave(self, call_id: str, *, is_late: bool = False) -> list[Moved]:
        """The caller hung up, or (`is_late`) has waited too long and goes on elsewhere. Those behind move up."""
        waiting = self._take(call_id)
        if waiting is None:
            return []
        self.outcomes["timed_out" if is_late else "gave_up"] += 1
        if is_late:
            waiting.row.timed_out += 1
        else:
            waiting.row.gave_up += 1
        return self._moved_up(waiting)

    def free_place(
        self,
        account_id: int,
        name: str,
        is_free: Callable[[Place], bool],
        rested_since: Callable[[str], int],
        now: float,
    ) -> Offer | None:
        """Whom to ring for the first call that nobody is rung for; None: nobody waits, or nobody is free.

        `is_free`: it can be rung and is in no call. Members that ring for another call of the row are left out here.
        """
        row = self._rows.get((account_id, name))
        waiting = next((call for call in row.calls if not call.ringing), None) if row is not None else None
        if row is None or waiting is None:
            return None
        ringing = {place for call in row.calls for place in call.ringing}
        free = [
            place
            for place in row.queue.places
            if place not in ringing and row.spared_until.get(place, now) <= now and is_free(place)
        ]
        if not free:
            return None
        waiting.ringing = _chosen(row, free, rested_since)
        return Offer(waiting.call_id, waiting.ringing, row.queue.ring_s)

    def not_answered(self, call_id: str, now: float) -> None:
        """Those who rang for it did not answer. It waits where it stood."""
        waiting = self._calls.get(call_id)
        if waiting is None:
            return
        queue = waiting.row.queue
        are_others_left = len(queue.places) > 1 and queue.strategy is not Strategy.TOGETHER
        spared_until = now + (SPARED_S if are_others_left else PAUSE_S)
        for place in waiting.ringing:
            waiting.row.spared_until[place] = spared_until
        waiting.ringing = ()

    def late(self, now: float) -> list[str]:
        """Calls that have waited as long as their queue lets them. One that rings is let ring."""
        return [
            call.call_id
            for call in self._calls.values()
            if not call.ringing and now - call.since >= call.row.queue.wait_s_max
        ]

    def longest_wait_s(self, now: float) -> int:
        """Of all calls that wait; 0 for none."""
        return int(max((now - call.since for call in list(self._calls.values())), default=0.0))

    def waiting_rows(self) -> list[RowKey]:
        """Rows in which somebody waits whom nobody is rung for: those that a free line could matter to."""
        return list(dict.fromkeys(call.row.key for call in self._calls.values() if not call.ringing))

    def views(self, now: float, account_name: Callable[[int], str]) -> Iterator[RowView]:
        for (account_id, name), row in list(self._rows.items()):
            yield RowView(
                account=account_name(account_id),
                name=name,
                waiting=len(row.calls),
                ringing=sum(1 for call in row.calls if call.ringing),
                longest_wait_s=int(now - row.calls[0].since) if row.calls else 0,
                entered=row.entered,
                answered=row.answered,
                gave_up=row.gave_up,
                timed_out=row.timed_out,
                turned_away=row.turned_away,
            )

    def _row(self, key: RowKey, queue: Queue) -> _Row | None:
        row = self._rows.get(key)
        if row is None:
            if len(self._rows) >= ROWS_MAX and not self._forget_an_empty_row():
                return None
            row = self._rows[key] = _Row(key, queue)
        if row.queue != queue:
            row.queue = queue
            row.spared_until = {
                place: until for place, until in row.spared_until.items() if place in queue.places
            }
        return row

    def _forget_an_empty_row(self) -> bool:
        empty = next((key for key, row in self._rows.items() if not row.calls), None)
        if empty is not None:
            del self._rows[empty]
        return empty is not None

    def _take(self, call_id: str) -> _Waiting | None:
        return self._calls.pop(call_id, None)

    def _moved_up(self, gone: _Waiting) -> list[Moved]:
        calls = gone.row.calls
        place = calls.index(gone)
        del calls[place]
        is_told = gone.row.queue.says_position
        return [
            Moved(call.call_id, position, is_told) for position, call in enumerate(calls[place:], place + 1)
        ]


def _chosen(row: _Row, free: list[Place], rested_since: Callable[[str], int]) -> tuple[Place, ...]:
    """Of those who are free, by the strategy."""
    match row.queue.strategy:
        case Strategy.TOGETHER:
            return tuple(free)
        case Strategy.IN_ORDER:
            return (free[0],)
        case Strategy.ROUND_ROBIN:
            return (_next_in_round(row, free),)
        case Strategy.LONGEST_IDLE:
            return (min(free, key=lambda place: _rest(place, rested_since)),)


def _next_in_round(row: _Row, free: Collection[Place]) -> Place:
    """The first one free from the turn on; the turn is then behind it."""
    places = row.queue.places
    for step in range(len(places)):
        at = (row.turn + step) % len(places)
        if places[at] in free:
            row.turn = at + 1
            return places[at]
    raise AssertionError("one of them is free")


def _rest(place: Place, rested_since: Callable[[str], int]) -> tuple[bool, int]:
    """Whether a number rests nobody here knows: those come last."""
    return (False, rested_since(place.value)) if place.kind is PlaceKind.LINE else (True, 0)
