"""Calls that are parked: who stays hears music, and any line of the account takes the call (RFC 5359 2.15).

Each has a slot, a number of one or two digits that is told to others in the house. The music is the media server's;
where that is away, or goes away, the relay's. When nobody takes the call in the time set it returns to the line that
parked it, and again after that time, until the caller hangs up. Parking costs nothing: who paid for the call goes on.
"""

from typing import TYPE_CHECKING, Final

from switch.calls.callee_leg import CalleeLeg, LegOutcome
from switch.calls.conversation import depart, leave, separate, settle_departed
from switch.calls.hold_music import HOLD_MUSIC
from switch.calls.recall import search_for_return
from switch.calls.refusal import Refusal
from switch.calls.retarget import Retarget
from switch.calls.search import Search

if TYPE_CHECKING:
    from provisioning.model import Line
    from switch.calls.call import Call
    from switch.calls.leg import Leg
    from switch.calls.referral import Referral
    from switch.sip.timers import Timer

PARKED: Final = "parked the call"
RETURNED: Final = "the call returned from where it was parked"
GIVEN_UP: Final = LegOutcome(487, 26, "the parked call was taken elsewhere", is_ours=True)


class Parking(Retarget):
    """A line sends the other end to a slot. The music answers, or does not: the call is parked all the same."""

    __slots__ = ("_line", "_referral", "_slot")

    def __init__(self, leaving: "Leg", staying: "Leg", line: "Line", slot: int, referral: "Referral") -> None:
        super().__init__(leaving.call, leaving, staying)
        self._line = line
        self._slot = slot
        self._referral = referral

    def begin(self, now: float) -> None:
        board = self.call.board
        board.counts.transfers["parked"] += 1
        board.parked.hold(self._line.account_id, self._slot)
        music = board.voicemail.music()
        if music is None:
            self._park_without_voice(now)
        else:
            self.search(Search([[music]]), None, now)

    def found(self, leg: CalleeLeg, now: float) -> None:
        self._say_where(now)
        ParkedCall(self.call, leg, self.staying, self._line, self._slot).begin(now)

    def nobody(self, outcome: LegOutcome | Refusal, now: float) -> None:
        self.call.retarget = None
        self._park_without_voice(now)

    def stop(self, now: float) -> None:
        super().stop(now)
        self.call.board.parked.free(self._line.account_id, self._slot)

    @property
    def words(self) -> str:
        return PARKED

    def _park_without_voice(self, now: float) -> None:
        staying, leaving = self.staying, self.leaving
        self._say_where(now)
        self.call.retarget = None
        separate(self.call)
        if leaving is not None and leaving.outcome is None:
            leave(leaving, PARKED, now)
        elif not self.call.talkers:
            self.call.hang_up(now, words=PARKED, ended_by="exchange")
        ParkedCall(staying.call, None, staying, self._line, self._slot).begin(now)

    def _say_where(self, now: float) -> None:
        self._referral.report(200, f"Parked At {self._slot}", now)


class ParkedCall(Retarget):
    """`leaving` is the music that who stays talks with, None where the relay plays it. `line` has parked it."""

    __slots__ = ("_return_timer", "is_returning", "line", "parked_at", "slot")

    def __init__(
        self, call: "Call", music: CalleeLeg | None, staying: "Leg", line: "Line", slot: int
    ) -> None:
        super().__init__(call, music, staying)
        self.line = line
        self.slot = slot
        self.parked_at = 0.0
        self.is_returning = False
        self._return_timer: Timer | None = None
        staying.call.retarget = self

    def begin(self, now: float) -> None:
        self.parked_at = now
        self.call.board.parked.put(self)
        if self.leaving is None:
            self._play()
        self._wait(now)

    def take(self, now: float) -> None:
        """Somebody wants it: it does not return meanwhile."""
        self._give_up_return(now)

    def taken(self, now: float) -> None:
        """Somebody has it."""
        self._over()
        self.call.board.parked.counts["retrieved"] += 1

    # As what is under way

    def on_gone(self, leg: "Leg", now: float) -> bool:
        """The music is gone; the relay plays on."""
        if leg is not self.leaving or self.staying.call is not self.call:
            return False
        self.leaving = None
        depart(leg, "the music ended", now)
        settle_departed(self.call, now)
        self._play()
        return True

    def stop(self, now: float) -> None:
        super().stop(now)
        self._over()

    def found(self, leg: CalleeLeg, now: float) -> None:
        self._over()
        self.staying.call.retarget = None
        media = self.staying.media
        if media is not None and media.has_music:
            media.stop_music()
        self.call.board.parked.counts["returned"] += 1

    def nobody(self, outcome: LegOutcome | Refusal, now: float) -> None:
        """It waits on."""
        self._stop_ringing()
        self._hear_again()
        self.is_returning = False
        if self.leaving is None:
            self._play()
        self._wait(now)

    @property
    def words(self) -> str:
        return RETURNED

    # Returning

    def _wait(self, now: float) -> None:
        board = self.call.board
        self._return_timer = board.timers.start(now, board.conf.calls.park_return_s, self._on_due)

    def _on_due(self, now: float) -> None:
        """Back to the line that parked it, which is free of charge for everybody."""
        self._return_timer = None
        call, board = self.call, self.call.board
        line = board.books.lines.get(self.line.user)
        if call.retarget is not self or line is None:
            self._wait(now)  # somebody is just taking it
            return
        words = f"returns from slot {self.slot} to line {line.user}"
        search = search_for_return(line, self.staying, words, now)
        if search is None:
            self._wait(now)
            return
        board.parked.counts["returns"] += 1
        self.is_returning = True
        self.search(search, None, now)

    def _give_up_return(self, now: float) -> None:
        hunting = self.call.hunting
        if self.is_returning and hunting is not None:
            hunting.cancel(now, GIVEN_UP)
            self.call.stop_hunting()
            self.nobody(GIVEN_UP, now)

    def _play(self) -> None:
        media = self.staying.media
        if media is not None:
            media.play_music(0, HOLD_MUSIC)

    def _over(self) -> None:
        if self._return_timer is not None:
            self._return_timer.cancel()
            self._return_timer = None
        self.call.board.parked.free(self.line.account_id, self.slot)
