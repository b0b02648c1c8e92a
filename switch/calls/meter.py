"""What one account pays for in a call: held before a phone rings, running from the answer, settled once at the end.

A plain call has one meter, the caller's. A leg that somebody else sends the call on to (a divert, a plan, a transfer)
has a meter of its own, on its own record, paid by who sent it there.
"""

from typing import TYPE_CHECKING, Final

from rating.cover import Cover
from rating.engine import Reservation, Settlement, Shortage
from switch.calls.credit_watch import CreditWatch

if TYPE_CHECKING:
    from switch.calls.call import Call
    from switch.calls.terms import Price

CALLERS_ROW: Final = 0
# Among the legs of a meter: the end of another call that ours talks with, whoever that is by then.
JOINED: Final = -1
CREDIT_PIPS: Final = 3  # rounds of two


class Meter:
    """`row` is the index of the leg whose record carries the charge, `legs` are the ones because of which it runs: as
    long as one of them talks. `started_at` is None until the answer."""

    __slots__ = ("_call", "_watch", "key", "legs", "price", "reservation", "row", "started_at")

    def __init__(self, call: "Call", row: int, price: "Price", reservation: Reservation) -> None:
        self._call = call
        self._watch: CreditWatch | None = None
        self.key = reservation.call_id
        self.row = row
        self.legs: tuple[int, ...] = (row,)
        self.price = price
        self.reservation = reservation
        self.started_at: float | None = None

    @property
    def granted_s(self) -> int:
        """Seconds paid for so far, counted from the start."""
        return self.reservation.granted_s if self._watch is None else self._watch.granted_s

    @property
    def first_second_ms(self) -> int:
        """The instant that its price goes by (UTC)."""
        held = self._call.board.engine.reservation(self.key)
        return self.reservation.at_ms if held is None else held.at_ms

    @property
    def cover_now(self) -> Cover | None:
        """What bundles do for it by now: renewals lengthen it."""
        held = self._call.board.engine.reservation(self.key)
        return None if held is None else held.cover

    def cost_micros(self, now: float) -> int:
        """What it would come to if it ended now."""
        if self.started_at is None:
            return 0
        duration_ms = round((now - self.started_at) * 1000)
        return self._call.board.engine.cost(self.key, duration_ms).total_micros

    def start(self, now: float) -> None:
        """The answer has been passed on; from here every second counts."""
        board = self._call.board
        self.started_at = now
        assumed = self.reservation
        granted_s = board.engine.start(self.key, board.clock.ms(now))
        self._watch = CreditWatch(
            call_id=self.key,
            granted_s=granted_s,
            engine=board.engine,
            timers=board.timers,
            ahead_s=board.conf.prepaid.reserve_ahead_s,
            before_s=board.conf.prepaid.renew_before_s,
            warning_s=board.conf.prepaid.warning_s,
            on_renewed=self._call.on_renewed,
            on_exhausted=self._call.on_exhausted,
            on_low=self._warn,
        )
        self._watch.start(now)
        if assumed.cover is not None or granted_s != assumed.granted_s:
            self._put_right(assumed, now)

    def _warn(self, now: float) -> None:
        """Who pays is told by pips that the credit ends, the caller or the called number's owner; the other is not."""
        call = self._call
        is_owners = call.admission is not None and bool(call.admission.price.origin)
        leg = call.answered_leg if is_owners and call.answered_leg is not None else call.caller_leg
        sound = leg.media.sound if leg.media is not None else None
        if sound is not None:
            sound.play("credit-pips", repeats=CREDIT_PIPS)

    def _put_right(self, assumed: Reservation, now: float) -> None:
        """The answer came at another time than was assumed: if that makes a difference the journal has to know."""
        held = self._call.board.engine.reservation(self.key)
        assert held is not None
        self.reservation = held
        if (held.granted_s, held.rate, held.cover) != (assumed.granted_s, assumed.rate, assumed.cover):
            self._call.on_renewed(now)

    def close(self, ended_at: float, *, free: bool = False) -> Settlement | None:
        """Charge the talk and release the rest. None: nobody heard an answer, or `free`. Never called twice."""
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
        engine = self._call.board.engine
        if self.started_at is None or free:
            engine.release(self.key)
            return None
        return engine.settle(self.key, duration_ms=round((ended_at - self.started_at) * 1000))


def open_meter(call: "Call", row: int, price: "Price") -> Meter | Shortage | None:
    """Hold the money for the first minute. None: there is nothing to pay."""
    rate = price.rate
    if rate is None or rate.is_free or price.account_id is None:
        return None
    board = call.board
    key = call.id if row == CALLERS_ROW else f"{call.id}/{row}"
    record = call.rows[row]
    held = board.engine.reserve(
        key,
        price.account_id,
        rate,
        initial_ahead_s=board.conf.prepaid.reserve_ahead_s,
        at_ms=record.setup_at_ms,
        number=None if price.origin else record.destination,
    )
    return held if isinstance(held, Shortage) else Meter(call, row, price, held)
