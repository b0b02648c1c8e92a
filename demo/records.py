"""What the demo reads from the exchange's commands, and the arithmetic it checks them by.

The arithmetic is done here once more from the tariff's figures, in whole micros (millionths of a pound), so that the
exchange's own code is not its judge.
"""

import msgspec

MICROS_PER_POUND = 1_000_000
SECONDS_PER_MINUTE = 60


class CdrLine(msgspec.Struct, frozen=True):
    """The fields of `offhook cdr list --json` that the demo looks at."""

    call_id: str
    leg: int
    setup_at_ms: int
    ringing_at_ms: int | None
    answered_at_ms: int | None
    ended_at_ms: int
    network_number: str
    destination: str
    duration_ms: int
    billed_s: int
    connect_fee_micros: int
    usage_micros: int
    cost_micros: int
    balance_after_micros: int | None
    sip_status: int
    q850_cause: int
    outcome: str
    reason: str
    ended_by: str
    sip_call_id: str
    other_sip_call_id: str


class Price(msgspec.Struct, frozen=True):
    """A price by the second: a fee for each call and so much a minute. Micros of a pound."""

    connect_fee_micros: int
    per_minute_micros: int

    def cost_micros(self, seconds: int) -> int:
        """Of a call of whole seconds; fractions of a micro are dropped."""
        if seconds == 0:
            return 0
        return self.connect_fee_micros + seconds * self.per_minute_micros // SECONDS_PER_MINUTE

    def paid_s(self, budget_micros: int) -> int:
        """The whole seconds that a budget lasts, found by counting."""
        seconds = 0
        while self.cost_micros(seconds + 1) <= budget_micros:
            seconds += 1
        return seconds


def pounds(micros: int) -> str:
    """£0.0495, with at least two and at most six places."""
    sign = "-" if micros < 0 else ""
    whole, part = divmod(abs(micros), MICROS_PER_POUND)
    digits = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}£{whole}.{digits}"
