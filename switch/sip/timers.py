"""T1, T2, T4, the timers A to M made of them, and the one timer queue (RFC 3261 17, RFC 6026).

Nearly every SIP timer has one of a dozen constant delays. Timers of one delay expire in the order in which
they were started, so each such delay has a *lane*, a plain deque: starting, cancelling and expiring are O(1)
and there is no heap to keep. Any other delay (a TU's own) goes into a heap. The queue reads no clock: `now`
is passed in, in seconds of a clock that never goes back. A timer that fires late is told the true `now`, so
that after a stopped process its successor counts from now and old intervals are not caught up in a burst.
"""

from collections import deque
from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from typing import Final

TimerCallback = Callable[[float], None]

T1_S: Final = 0.5  # round-trip time estimate
T2_S: Final = 4.0  # the longest interval between repeats of non-INVITE requests and of INVITE responses
T4_S: Final = 5.0  # how long a message can stay in the network

TIMER_A_S: Final = T1_S  # INVITE client, first repeat; doubles without bound until Timer B
TIMER_B_S: Final = 64 * T1_S  # INVITE client, no response at all
TIMER_D_S: Final = 32.0  # INVITE client, wait for repeated finals (at least 32 s over UDP)
TIMER_E_S: Final = T1_S  # non-INVITE client, first repeat; doubles up to T2
TIMER_F_S: Final = 64 * T1_S  # non-INVITE client, no final response
TIMER_G_S: Final = T1_S  # INVITE server, first repeat of a non-2xx final; doubles up to T2
TIMER_H_S: Final = 64 * T1_S  # INVITE server, no ACK for a non-2xx final
TIMER_I_S: Final = T4_S  # INVITE server, wait for repeated ACKs
TIMER_J_S: Final = 64 * T1_S  # non-INVITE server, wait for repeated requests
TIMER_K_S: Final = T4_S  # non-INVITE client, wait for repeated responses
TIMER_L_S: Final = 64 * T1_S  # INVITE server in Accepted (RFC 6026); also the wait for ACK of 13.3.1.4
TIMER_M_S: Final = 64 * T1_S  # INVITE client in Accepted (RFC 6026), wait for 2xx of other forks
TIMER_CANCEL_S: Final = 64 * T1_S  # INVITE client, no final response after our CANCEL (9.1)
TRYING_DELAY_S: Final = 0.2  # INVITE server: the TU has said nothing, so we send 100 (17.2.1)
NON_INVITE_TRYING_DELAY_S: Final = 7 * T1_S  # when a client's Timer E reaches T2: 0.5 + 1 + 2 (RFC 4320 4.1)
NON_INVITE_EXPIRY_S: Final = 64 * T1_S - NON_INVITE_TRYING_DELAY_S  # from there to the client's Timer F

PROTOCOL_DELAYS_S: Final[tuple[float, ...]] = (
    TRYING_DELAY_S,
    T1_S,
    2 * T1_S,
    4 * T1_S,
    T2_S,
    T4_S,
    16 * T1_S,  # 8 s, 16 s: Timer A has no ceiling
    32 * T1_S,
    64 * T1_S,
    NON_INVITE_TRYING_DELAY_S,
    NON_INVITE_EXPIRY_S,
)

# One turn of the event loop fires at most so many timers of lanes, and as many of the heap, so that ten
# thousand calls ending together cannot keep datagrams waiting for more than some 20 ms. What remains is due
# at once, in the next turn.
CALLBACKS_PER_RUN_MAX: Final = 500

# A heap this long is searched for cancelled timers before it grows further; without this, a no-answer timer
# of two minutes on calls answered in seconds would leave sixty dead entries for each live one.
HEAP_SWEEP_MIN: Final = 4096


class Timer:
    """One started timer. It holds its callback only while it runs: a cancelled one keeps nothing alive."""

    __slots__ = ("callback", "deadline")

    def __init__(self, deadline: float, callback: TimerCallback) -> None:
        self.deadline = deadline
        self.callback: TimerCallback | None = callback

    def cancel(self) -> None:
        """Harmless when it has fired or was cancelled before."""
        self.callback = None

    @property
    def is_running(self) -> bool:
        return self.callback is not None


class TimerQueue:
    """All timers of one process: lanes for constant delays, a heap for the rest.

    `constant_delays_s` adds lanes for delays that a TU uses all the time.
    """

    __slots__ = ("_heap", "_heap_sweep_at", "_lanes", "_order", "_sequence")

    def __init__(self, constant_delays_s: Iterable[float] = ()) -> None:
        self._lanes: dict[float, deque[Timer]] = {
            delay_s: deque() for delay_s in sorted({*PROTOCOL_DELAYS_S, *constant_delays_s})
        }
        self._order = deque(self._lanes.values())
        self._heap: list[tuple[float, int, Timer]] = []
        self._heap_sweep_at = HEAP_SWEEP_MIN
        self._sequence = 0

    def start(self, now: float, delay_s: float, callback: TimerCallback) -> Timer:
        """`callback(now)` is called by the first `run` at or after `now + delay_s`."""
        timer = Timer(now + delay_s, callback)
        lane = self._lanes.get(delay_s)
        if lane is not None:
            lane.append(timer)
        else:
            self._push(timer)
        return timer

    def run(self, now: float) -> bool:
        """Fire what is due; True when more is due than one run may fire (`next_deadline` is then past).

        An exception of a callback passes through; the timer is already taken out, so the next run goes on
        behind it.
        """
        self._run_lanes(now)
        self._run_heap(now)
        deadline = self.next_deadline()
        return deadline is not None and deadline <= now

    def next_deadline(self) -> float | None:
        """When `run` is next wanted; None when no timer runs."""
        earliest: float | None = None
        for lane in self._order:
            while lane:
                timer = lane[0]
                if timer.callback is None:
                    lane.popleft()
                    continue
                if earliest is None or timer.deadline < earliest:
                    earliest = timer.deadline
                break
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heappop(heap)
        if heap and (earliest is None or heap[0][0] < earliest):
            earliest = heap[0][0]
        return earliest

    @property
    def queued_count(self) -> int:
        """Timers held, cancelled ones included: nothing is walked, so another thread may ask."""
        return sum(len(lane) for lane in list(self._lanes.values())) + len(self._heap)

    def __len__(self) -> int:
        """Timers running now; counts one by one, for tests and the operator."""
        in_lanes = sum(timer.is_running for lane in self._order for timer in lane)
        return in_lanes + sum(timer.is_running for _, _, timer in self._heap)

    def _push(self, timer: Timer) -> None:
        heap = self._heap
        if len(heap) >= self._heap_sweep_at:
            heap[:] = [entry for entry in heap if entry[2].callback is not None]
            heapify(heap)
            self._heap_sweep_at = max(HEAP_SWEEP_MIN, 2 * len(heap))
        self._sequence += 1  # equal deadlines fire in the order of their start
        heappush(heap, (timer.deadline, self._sequence, timer))

    def _run_lanes(self, now: float) -> None:
        budget = CALLBACKS_PER_RUN_MAX
        for place, lane in enumerate(tuple(self._order)):
            while lane:
                timer = lane[0]
                callback = timer.callback
                if callback is None:
                    lane.popleft()
                    continue
                if timer.deadline > now:
                    break
                lane.popleft()
                timer.callback = None
                callback(now)
                budget -= 1
                if budget == 0:
                    self._order.rotate(-place - 1)  # the next lane begins the next run, so that none starves
                    return

    def _run_heap(self, now: float) -> None:
        heap = self._heap
        budget = CALLBACKS_PER_RUN_MAX  # of its own: crowded lanes must not hold up the TU's timers
        while heap and heap[0][0] <= now and budget:
            timer = heappop(heap)[2]
            callback = timer.callback
            if callback is not None:
                timer.callback = None
                callback(now)
                budget -= 1
