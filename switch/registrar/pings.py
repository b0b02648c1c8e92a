"""OPTIONS pings: they keep a NAT's hole open and find out that a phone is dead.

Only phones that register over UDP from another address than their Contact's need them; a connection keeps
itself open and is seen to close. The schedule says whom to ping; the exchange sends the OPTIONS (any response
is an answer) and reports back. A dead phone keeps its binding: it is passed over while another one of its AOR
is alive, is asked less often, and is back with its first answer or its next REGISTER. Times are monotonic
seconds.
"""

from collections import deque
from collections.abc import Callable

import msgspec

from switch.registrar.bindings import Binding
from switch.registrar.wheel import Wheel
from switch.sip.flow import UDP

# Three transactions without an answer are 33 datagrams over a minute and a half: more than a busy phone misses.
FAILURES_UNTIL_DEAD = 3
# A dead phone may well be a power cut of a whole street: it is asked this many times less often.
DEAD_INTERVAL_FACTOR = 4
# Each interval is longer or shorter by up to this part, or phones that come together would stay together.
JITTER = 0.1
# Pings a caller can get at once after a pause, as a part of a second's worth.
BURST_S = 0.25
_SLOT_S = 0.5
# Taken from the wheel at once; what cannot be sent yet waits in line.
_TAKEN_MAX = 10_000


class PingLimits(msgspec.Struct, frozen=True):
    """30 s is what home routers need: many forget a UDP hole after 60 s, some after 30. 0 is off."""

    interval_s: float = 30.0
    rate_max: float = 500.0
    failures_max: int = FAILURES_UNTIL_DEAD


class PingSchedule:
    """Who is to be asked next. `random_fraction` gives numbers from 0 to 1, for the jitter."""

    __slots__ = ("_allowance", "_allowed_at", "_random", "_waiting", "_wheel", "limits")

    def __init__(self, limits: PingLimits, random_fraction: Callable[[], float]) -> None:
        self.limits = limits
        self._random = random_fraction
        self._wheel: Wheel[Binding] = Wheel(_SLOT_S)
        self._waiting: deque[Binding] = deque()
        self._allowance = 0.0
        self._allowed_at: float | None = None

    def watch(self, binding: Binding, now: float) -> None:
        """After each REGISTER and restore. The first ping comes at any time within one interval."""
        if not binding.is_watched and self._is_wanted(binding, now):
            binding.is_watched = True
            self._schedule(binding, now + self.limits.interval_s * self._random())

    def due(self, now: float) -> list[Binding]:
        """Whom to ping now, never more than the rate allows. To be called several times a second."""
        self._waiting += self._wheel.take_due(now, _TAKEN_MAX)
        chosen: list[Binding] = []
        allowed = self._allowed(now)
        while self._waiting and len(chosen) < allowed:
            binding = self._waiting.popleft()
            if not self._is_wanted(binding, now):
                binding.is_watched = False
                continue
            chosen.append(binding)
            interval_s = self.limits.interval_s * (DEAD_INTERVAL_FACTOR if binding.is_dead else 1)
            self._schedule(binding, now + interval_s * (1 - JITTER + 2 * JITTER * self._random()))
        self._allowance -= len(chosen)
        return chosen

    def answered(self, binding: Binding) -> bool:
        """Whether this brought it back from the dead."""
        was_dead = binding.is_dead
        binding.is_dead = False
        binding.ping_failures = 0
        return was_dead

    def failed(self, binding: Binding) -> bool:
        """No answer, or no way to send. Whether this was one too many and it counts as dead from now on."""
        binding.ping_failures += 1
        if binding.is_dead or binding.ping_failures < self.limits.failures_max:
            return False
        binding.is_dead = True
        return True

    @property
    def waiting_count(self) -> int:
        """Due but held back by the rate limit: when it grows, the interval cannot be kept."""
        return len(self._waiting)

    def _is_wanted(self, binding: Binding, now: float) -> bool:
        return (
            binding.expires_at > now
            and binding.is_behind_nat
            and binding.flow.transport == UDP
            and self.limits.interval_s > 0
        )

    def _schedule(self, binding: Binding, at: float) -> None:
        self._wheel.add(self._wheel.slot_of(at), binding)

    def _allowed(self, now: float) -> int:
        burst = max(1.0, self.limits.rate_max * BURST_S)
        passed_s = BURST_S if self._allowed_at is None else now - self._allowed_at
        self._allowed_at = now
        self._allowance = min(burst, self._allowance + passed_s * self.limits.rate_max)
        return int(self._allowance)
