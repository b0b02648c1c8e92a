"""Calls that wait in queues: who is rung for whom, what the music says, who has waited too long.

switch/journey/queues.py has the rows and decides; here is what it takes to do it. It is looked at once a second, so a
member who becomes free gets the next call within that time, and a pause between two calls with it. While members ring,
the caller goes on hearing the music; a call that nobody answered keeps its place.
"""

from typing import TYPE_CHECKING, Final

from switch.calls.callee_leg import CalleeLeg
from switch.calls.line_targets import line_targets
from switch.calls.own_request import OwnRequest
from switch.calls.passing import Body
from switch.calls.refusal import Refusal
from switch.calls.retarget import Retarget
from switch.journey.moves import Came, Place, PlaceKind, Queue

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.callee_leg import LegOutcome
    from switch.calls.leg import Leg
    from switch.calls.plan_course import PlanCourse
    from switch.calls.plan_stop import PlanStop
    from switch.calls.switchboard import Switchboard
    from switch.journey.queues import Moved, Offer
    from switch.sip.message import Response

POSITION_TYPE: Final = (("content-type", "application/offhook-queue"),)
# Rows that are looked at in a second, so that a thousand calls that wait cost no call its time.
ROWS_A_SECOND_MAX: Final = 200


class Waiter:
    """One call that waits, the music it hears, and the plan that it waits for."""

    __slots__ = ("course", "stop", "voice")

    def __init__(self, course: "PlanCourse", stop: "PlanStop", voice: CalleeLeg) -> None:
        self.course = course
        self.stop = stop
        self.voice = voice


class QueueDesk:
    """One a process. The rows are `board.queues`; here is one Waiter for each call in them."""

    __slots__ = ("_board", "_waiters")

    def __init__(self, board: "Switchboard") -> None:
        self._board = board
        self._waiters: dict[str, Waiter] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    def enter(
        self, course: "PlanCourse", voice: CalleeLeg, stop: "PlanStop", queue: Queue, now: float
    ) -> bool:
        """The call has its place from now on; False: there is no room any more."""
        call_id = course.call.id
        position = self._board.queues.enter(stop.account_id, queue, call_id, now)
        if not position:
            return False
        self._waiters[call_id] = Waiter(course, stop, voice)
        if position > 1 and queue.says_position:
            self._say_position(voice, position, now)
        return True

    def on_second(self, now: float) -> None:
        """Who has waited too long goes on elsewhere; who is next is rung for, where somebody is free."""
        queues = self._board.queues
        if not self._waiters:
            return
        for call_id in queues.late(now):
            waiter = self._waiters.pop(call_id)
            self._tell(queues.leave(call_id, is_late=True), now)
            waiter.course.go_on(Came.WAITED_TOO_LONG, waiter.voice, now)
        for account_id, name in queues.waiting_rows()[:ROWS_A_SECOND_MAX]:
            rested_since = self._board.turns.rested_since
            offer = queues.free_place(
                account_id, name, lambda place: self._is_free(place, now), rested_since, now
            )
            if offer is not None:
                self._ring(offer, now)

    def call_over(self, call_id: str, now: float) -> None:
        """The caller has given up, or somebody has ended the call."""
        if self._waiters.pop(call_id, None) is not None:
            self._tell(self._board.queues.leave(call_id), now)

    def answered(self, call_id: str, now: float) -> None:
        """Somebody has it."""
        if self._waiters.pop(call_id, None) is not None:
            self._tell(self._board.queues.answered(call_id), now)

    def not_answered(self, call_id: str, now: float) -> None:
        """It waits where it stood."""
        if call_id in self._waiters:
            self._board.queues.not_answered(call_id, now)

    def _ring(self, offer: "Offer", now: float) -> None:
        waiter = self._waiters[offer.call_id]
        call, voice = waiter.course.call, waiter.voice
        search = waiter.stop.search_for(waiter.course.journey, offer.places, offer.ring_s, now)
        if search is None or call.retarget is not None or voice.other is None:
            self._board.queues.not_answered(offer.call_id, now)
            return
        _QueueRing(call, voice, voice.other, self).search(search, None, now)

    def _is_free(self, place: Place, now: float) -> bool:
        board = self._board
        if place.kind is PlaceKind.NUMBER:
            return True
        line = board.books.lines.get(place.value)
        if line is None or board.of_line[place.value]:
            return False
        return bool(line_targets(line, board, now))

    def _tell(self, moved: "list[Moved]", now: float) -> None:
        for one in moved:
            waiter = self._waiters.get(one.call_id)
            if waiter is not None and one.is_told:
                self._say_position(waiter.voice, one.position, now)

    def _say_position(self, voice: CalleeLeg, position: int, now: float) -> None:
        if voice.is_up and voice.dialog is not None:
            body = Body(f"position={position}\r\n".encode(), POSITION_TYPE)
            OwnRequest(voice, voice.dialog, "INFO", [], body, _heard).send(now)


class _QueueRing(Retarget):
    """Members ring for a call that waits. The caller hears the music meanwhile."""

    __slots__ = ("_desk",)

    def __init__(self, call: "Call", voice: CalleeLeg, caller: "Leg", desk: QueueDesk) -> None:
        super().__init__(call, voice, caller)
        self._desk = desk

    def on_ringing(self, now: float) -> None:
        self.rings(now)

    def found(self, leg: CalleeLeg, now: float) -> None:
        self._desk.answered(self.call.id, now)

    def failed(self, outcome: "LegOutcome | Refusal", now: float) -> None:
        self._desk.not_answered(self.call.id, now)

    @property
    def words(self) -> str:
        return "somebody has answered the call that waited"


def _heard(status: int, response: "Response | None", now: float) -> None:
    """A position that was not heard is told again with the next one."""
