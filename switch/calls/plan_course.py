"""A plan in a call that a voice of the exchange has answered: what is pressed, who waits, and where the call goes on.

A menu and a queue are legs to the media server, which decides nothing: it says what was pressed (pressed.py), and plays
music until somebody is found. Each further move of the plan is a change of partner for the caller (retarget.py); the
voice stays until then, or until it hangs up by itself.
"""

from typing import TYPE_CHECKING, Final

from switch.calls.callee_leg import CalleeLeg
from switch.calls.refusal import Refusal
from switch.calls.retarget import Retarget
from switch.journey.moves import Came, Queue, Result
from switch.journey.moves import Pressed as Keys

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.callee_leg import LegOutcome
    from switch.calls.journey import Journey
    from switch.calls.leg import Leg
    from switch.calls.pressed import Pressed

LED_ON: Final = "the plan led on"


class PlanCourse:
    """Of one call, kept as its `on_pressed` while a plan has it."""

    __slots__ = ("call", "journey")

    def __init__(self, call: "Call", journey: "Journey") -> None:
        self.call = call
        self.journey = journey

    def on_pressed(self, pressed: "Pressed", now: float) -> None:
        """Keys of a menu; "" where nothing was pressed."""
        pressed.referral.accept(now)
        pressed.referral.report(200, "", now)
        self.go_on(Keys(pressed.keys) if pressed.keys else Came.NOTHING_PRESSED, pressed.voice, now)

    def voice_answered(self, voice: CalleeLeg, now: float) -> None:
        """The caller hears a voice: it may be the music of a queue, in which he has his place from now on."""
        self.journey.is_answered = True
        stop = self.journey.plan
        if stop is None or not isinstance(stop.move, Queue):
            return
        if not self.call.board.queue_desk.enter(self, voice, stop, stop.move, now):
            self.go_on(Came.QUEUE_FULL, voice, now)

    def go_on(self, result: Result, voice: "Leg", now: float) -> None:
        """What came of the voice; the plan says what is next."""
        call = self.call
        search = self.journey.came(result, now)
        if search is None:
            call.hang_up(now, words=self.journey.refused.words, ended_by="exchange")
        elif call.retarget is None and voice.other is not None:
            PlanMove(self, voice, voice.other).search(search, self.journey, now)

    def over(self, now: float) -> None:
        """The call has ended."""
        self.call.board.queue_desk.call_over(self.call.id, now)


class PlanMove(Retarget):
    """The caller is led from a voice to somebody, or to another voice."""

    __slots__ = ("_course",)

    def __init__(self, course: PlanCourse, voice: "Leg", caller: "Leg") -> None:
        super().__init__(course.call, voice, caller)
        self._course = course

    def found(self, leg: CalleeLeg, now: float) -> None:
        self._course.voice_answered(leg, now)

    def failed(self, outcome: "LegOutcome | Refusal", now: float) -> None:
        """The plan has nowhere left to go."""
        if self.leaving in self.call.talkers:
            self.call.hang_up(now, words=outcome.words, ended_by="exchange")

    @property
    def words(self) -> str:
        return LED_ON


def course_of(call: "Call") -> PlanCourse | None:
    """That of a call which a plan has."""
    return call.on_pressed if isinstance(call.on_pressed, PlanCourse) else None


def follow(call: "Call", journey: "Journey | None", found: CalleeLeg, now: float) -> None:
    """Somebody sent the call on, and this leg has answered: where that led to a plan, the plan has the call from now
    on, and else nobody has it any more who had it before."""
    call.on_pressed = None
    if journey is not None and journey.plan is not None:
        course = PlanCourse(call, journey)
        call.on_pressed = course
        course.voice_answered(found, now)
