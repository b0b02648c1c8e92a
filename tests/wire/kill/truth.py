"""What the wire saw of each attempt, by the phones' own clock: the truth that records are held against.

Times are seconds since the epoch. What was received is stamped by the kernel when it arrived, so a phone that was late
to look at it has no later truth.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Plan:
    """How an attempt is meant to go. `talk_s` counts from the answer; the other side hangs up later, as a backstop."""

    dials: str
    ring_s: float
    talk_s: float
    answers_with: int = 200
    cancels_after_s: float | None = None
    callee_hangs_up: bool = False


@dataclass(slots=True)
class CalleeTruth:
    """One INVITE that a callee's phone, or the carrier, received."""

    call_id: str
    invited_at: float
    answered_at: float | None = None
    acked_at: float | None = None
    ended_at: float | None = None
    final_status: int = 0


@dataclass(slots=True)
class Attempt:
    """One call as its caller lived through it.

    `tries` are the INVITEs with credentials: one, or more when the exchange was restarted in between and challenged
    again. `admitted` are those that the exchange answered by anything but a challenge, with the time: they must be on
    record.
    """

    number: int
    account: str
    user: str
    call_id: str
    plan: Plan
    tries: int = 0
    admitted: dict[int, float] = field(default_factory=dict)
    final_status: int = 0
    answered_at: float | None = None
    acked_at: float | None = None
    ended_at: float | None = None
    was_hung_up: bool = False
    is_over: bool = False
    problem: str = ""
    callees: list[CalleeTruth] = field(default_factory=list)

    @property
    def talked_ms(self) -> int:
        """From the answer that the caller received to the first BYE that it sent or received; 0 without an answer."""
        if self.answered_at is None:
            return 0
        assert self.ended_at is not None, "asked too early"
        return max(0, round((self.ended_at - self.answered_at) * 1000))


@dataclass(slots=True)
class Kill:
    """A process died. `takes_journal`: the journal died with the switch, so nothing held what was still on its way.

    `is_orderly`: it was asked to, by SIGTERM, and ended its calls itself.
    """

    victim: str
    at: float
    until: float = 0.0
    ends_calls: bool = False
    takes_journal: bool = False
    is_orderly: bool = False
