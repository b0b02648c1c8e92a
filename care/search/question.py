"""What staff ask when a customer rings, and a call that answers it.

All of a question is text as people type it; care/search/understanding.py reads it. The answer has one row for each
call, not for each leg.
"""

import enum
from typing import Final

import msgspec

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 1_000  # a page that nobody reads to its end; more is an export
# "About quarter past ten" by the customer's clock.
TOLERANCE_S: Final = 15 * 60
# With seconds it was read off a phone, whose clock may be wrong by a little.
TOLERANCE_EXACT_S: Final = 2 * 60
TOLERANCE_MAX_S: Final = 24 * 3600
SHORT_CALL_S: Final = 10  # answered and ended before anybody has said what he wanted


class CallKind(enum.StrEnum):
    """What is wrong with a call, as a question."""

    SHORT = "short"
    FAILED = "failed"
    ONE_WAY = "one-way"
    BAD_SOUND = "bad-sound"


class Order(enum.StrEnum):
    LATEST = "latest"
    EARLIEST = "earliest"


class CallQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is given must be true of a call. "" and None ask for nothing.

    `at` is a moment with `tolerance_s` to both sides; `since` and `until` are the other way to name a time. `cli` is
    who called, `ddi` what was called, `number` is either. `cause` is a SIP status, a Q.850 cause or words of the
    reason; with `trunk` it is that trunk's. `after` is the `cursor` of the last call of the page before.
    """

    at: str = ""
    tolerance_s: int | None = None
    since: str = ""
    until: str = ""
    cli: str = ""
    ddi: str = ""
    number: str = ""
    line: str = ""
    account: str = ""
    trunk: str = ""
    call_id: str = ""
    sip_call_id: str = ""
    cause: str = ""
    outcome: str = ""
    kinds: frozenset[CallKind] = frozenset()
    longer_than_s: int | None = None
    shorter_than_s: int | None = None
    order: Order = Order.LATEST
    limit: int = LIMIT_DEFAULT
    after: str = ""


class CallFound(msgspec.Struct, frozen=True, kw_only=True):
    """A call by the facts of its caller's leg, and who finally answered.

    `at_ms` is when the leg began that the question was about: for who was called by a divert or a queue that is later
    than `setup_at_ms`. `trunks` are all that were tried. `cost_micros` is what all who pay for the call paid.
    `has_bad_sound` and `is_one_way` are False where nobody has counted.
    """

    call_id: str
    at_ms: int
    setup_at_ms: int
    answered_at_ms: int | None
    ended_at_ms: int
    cli: str
    presentation_number: str
    dialled: str
    destination: str
    ddi: str
    account: str
    payer: str
    line: str
    answered_by: str
    legs: int
    trunks: list[str]
    duration_ms: int
    cost_micros: int
    outcome: str
    reason: str
    sip_status: int
    q850_cause: int
    ended_by: str
    is_emergency: bool
    has_bad_sound: bool
    is_one_way: bool
    cursor: str
