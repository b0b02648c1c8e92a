"""Messages that wait for lines that are away: kept in the journal, handed over in order, one at a time.

A line's turn comes when a phone of it registers, or some time after one that is there did not take it. A message leaves
when a phone took it, when all refuse it for good, or when its time is over; the sender, who has its 202, hears no more
of it. Delivered twice is a message only whose 200 the journal never heard of, in a crash.
"""

import heapq
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from switch.calls.line_targets import line_targets
from switch.calls.switchboard import Put, Switchboard
from switch.messaging import limits
from switch.messaging.text import TEXT_KEY, Text, decode_text
from switch.messaging.to_line import LineDelivery
from switch.messaging.verdict import Verdict
from switch.registrar.bindings import Binding
from switch.sip.flow import Flow
from switch.sip.message import Response

if TYPE_CHECKING:
    from switch.sip.timers import Timer

EXPIRED = "expired"
LINE_REMOVED = "line_removed"
WITHDRAWN = "withdrawn"  # taken after all before the sender was told that it is kept


class Queue:
    """What waits for one line. `tried` are the registrations that were asked the last time; `was_heard`: one of them
    said no for the moment."""

    __slots__ = ("failures", "on_their_way", "texts", "timer", "tried", "was_heard")

    def __init__(self) -> None:
        self.texts: dict[str, Text] = {}
        self.on_their_way: set[str] = set()
        self.timer: Timer | None = None
        self.failures = 0
        self.tried: set[tuple[str, Flow]] = set()
        self.was_heard = False


class Waiting:
    """Owner of all of them. `ended` counts those that left, by why."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self.queues: dict[str, Queue] = {}
        self.count = 0
        self.ended: Counter[str] = Counter()
        self._expiries: list[tuple[int, str, str]] = []  # UTC ms, user, id
        self._sweep: Timer | None = None

    def has_room(self, user: str, sender: str) -> bool:
        queue = self.queues.get(user)
        if self.count >= limits.KEPT_MAX:
            return False
        if queue is None:
            return True
        of_sender = sum(text.sender == sender for text in queue.texts.values())
        return len(queue.texts) < limits.KEPT_PER_LINE_MAX and of_sender < limits.KEPT_PER_SENDER_MAX

    def has_any(self, user: str) -> bool:
        return user in self.queues

    def add(self, text: Text, now: float, *, is_on_its_way: bool) -> None:
        """At the end of its line's. The caller journals it. `is_on_its_way`: the phones have it already, and `report`
        says what they made of it."""
        self._put(text)
        if is_on_its_way:
            queue = self.queues[text.user]
            queue.on_their_way.add(text.id)
            queue.tried |= {_place(binding) for binding in self._board.bindings.of(text.user, now)}
        else:
            self._go_on_soon(text.user, now, 0.0)
        if self._sweep is None:
            self._sweep = self._board.timers.start(now, limits.EXPIRY_SWEEP_S, self._on_sweep)

    def withdraw(self, text: Text, why: str, now: float) -> None:
        """It need not be kept, or could not be."""
        queue = self.queues.get(text.user)
        if queue is not None and text.id in queue.texts:
            self._remove(queue, text, why)
            self._go_on_soon(text.user, now, 0.0)

    def report(self, text: Text, verdict: Verdict, refusal: Response | None, now: float) -> None:
        """What became of one that was on its way."""
        queue = self.queues.get(text.user)
        if queue is None:
            return
        queue.on_their_way.discard(text.id)
        queue.was_heard = refusal is not None
        if verdict is Verdict.LATER:
            if text.id in queue.texts:
                self._try_later(text.user, queue, now)
            return
        queue.failures = 0
        if text.id in queue.texts:
            self._remove(queue, text, verdict.value)
        self._go_on_soon(text.user, now, 0.0)

    # Turns

    def line_registered(self, user: str, now: float) -> None:
        """Who is new there, has started anew or was silent is asked soon; one that said no and renews waits its
        turn."""
        queue = self.queues.get(user)
        if queue is not None and not queue.on_their_way and self._is_news(user, queue, now):
            queue.failures = 0
            self._go_on_soon(user, now, limits.SETTLE_S)

    def _is_news(self, user: str, queue: Queue, now: float) -> bool:
        live = self._board.bindings.of(user, now)
        return bool(live) and (not queue.was_heard or any(_place(b) not in queue.tried for b in live))

    def line_removed(self, user: str) -> None:
        queue = self.queues.get(user)
        if queue is not None:
            if queue.timer is not None:
                queue.timer.cancel()
            for text in tuple(queue.texts.values()):
                self._remove(queue, text, LINE_REMOVED)

    def _go_on_soon(self, user: str, now: float, wait_s: float) -> None:
        queue = self.queues.get(user)
        if queue is None or queue.on_their_way:
            return
        if queue.timer is not None:
            queue.timer.cancel()
        queue.timer = self._board.timers.start(now, wait_s, lambda later: self._go_on(user, later))

    def _try_later(self, user: str, queue: Queue, now: float) -> None:
        wait_s = min(limits.RETRY_FIRST_S * 2 ** min(queue.failures, 10), limits.RETRY_MAX_S)
        if any(_place(b) not in queue.tried for b in self._board.bindings.of(user, now)):
            wait_s = limits.SETTLE_S  # somebody has registered meanwhile
        queue.failures += 1
        self._go_on_soon(user, now, wait_s)

    def _go_on(self, user: str, now: float) -> None:
        """Hand over the first one that still counts."""
        board = self._board
        queue = self.queues.get(user)
        if queue is None or queue.on_their_way:
            return
        queue.timer = None
        self._drop_expired(queue, now)
        line = board.books.lines.get(user)
        targets = line_targets(line, board, now) if line is not None else []
        queue.tried = {_place(target.binding) for target in targets if target.binding is not None}
        if not targets or not queue.texts:
            return  # the next registration brings it on
        text = next(iter(queue.texts.values()))
        queue.on_their_way.add(text.id)

        def done(verdict: Verdict, refusal: Response | None, later: float) -> None:
            self.report(text, verdict, refusal, later)

        LineDelivery(board, text, targets, done, now, is_late=True)

    # The tables

    def _put(self, text: Text) -> None:
        queue = self.queues.get(text.user)
        if queue is None:
            queue = self.queues[text.user] = Queue()
        queue.texts[text.id] = text
        self.count += 1
        heapq.heappush(self._expiries, (text.expires_ms, text.user, text.id))

    def _remove(self, queue: Queue, text: Text, why: str) -> None:
        del queue.texts[text.id]
        self.count -= 1
        self.ended[why] += 1
        self._board.record([(text.key, None)])
        if not queue.texts:
            if queue.timer is not None:
                queue.timer.cancel()
            del self.queues[text.user]

    def _drop_expired(self, queue: Queue, now: float) -> None:
        at_ms = self._board.clock.ms(now)
        for text in [text for text in queue.texts.values() if text.expires_ms <= at_ms]:
            self._remove(queue, text, EXPIRED)

    def _on_sweep(self, now: float) -> None:
        self._sweep = None
        at_ms = self._board.clock.ms(now)
        while self._expiries and self._expiries[0][0] <= at_ms:
            _, user, ident = heapq.heappop(self._expiries)
            queue = self.queues.get(user)
            text = queue.texts.get(ident) if queue is not None else None
            if queue is not None and text is not None:
                self._remove(queue, text, EXPIRED)
        if self.count:
            self._sweep = self._board.timers.start(now, limits.EXPIRY_SWEEP_S, self._on_sweep)
        else:
            self._expiries.clear()

    # The journal

    def restore(self, state: Mapping[str, bytes], now: float) -> None:
        """What the journal kept, each line's in order. A wall clock that was set back must not make one eternal."""
        puts: list[Put] = []
        at_ms = self._board.clock.ms(now)
        texts: list[Text] = []
        for key, value in state.items():
            if not key.startswith(TEXT_KEY):
                continue
            text = decode_text(value)
            if text is None or text.key != key or text.expires_ms <= at_ms:
                puts.append((key, None))
                self.ended[EXPIRED] += text is not None
            else:
                texts.append(text)
        if puts:
            self._board.record(puts)
        for text in sorted(texts, key=lambda text: text.id):
            text.expires_ms = min(text.expires_ms, at_ms + limits.KEPT_S_MAX * 1000)
            self._put(text)
        for place, user in enumerate(self.queues):
            self._go_on_soon(user, now, limits.SETTLE_S + place / limits.LINES_PER_SECOND)
        if self.count:
            self._sweep = self._board.timers.start(now, limits.EXPIRY_SWEEP_S, self._on_sweep)


def _place(binding: Binding) -> tuple[str, Flow]:
    return binding.call_id, binding.flow
