"""What the journal knows of a call that is not over: enough to end it properly after a crash.

Kept under `c/<call id>` from before the first INVITE goes out until the end record replaces it. The dialogs are those
that a BYE can be sent in, the INVITEs those that nobody has answered; the CDRs are drafts that recovery completes.
`h/<call id>` holds the dialogs whose BYE is not answered yet. New fields go to the end, with a default.
"""

from typing import Final

import msgspec

from rating.records import Cdr
from switch.calls.open_bundles import OpenCover
from switch.sip.dialog_state import DialogState
from switch.sip.flow import Flow

OPEN_KEY: Final = "c/"
HANGUP_KEY: Final = "h/"
OPEN: Final = "open"  # the outcome of a record that is not complete


class OpenService(msgspec.Struct, array_like=True):
    """The two parts of the price of 084, 087, 09 and 118 (rating/special_terms.py, ServiceCharge)."""

    code: str
    access_per_minute: int
    per_call: int
    per_minute: int
    covers_s: int
    numerator: int
    divisor: int


class OpenSpecial(msgspec.Struct, array_like=True):
    """What the price has that a plain one has not (rating/special_terms.py, SpecialTerms). Of the time bands only the
    paid seconds: they begin at `at_ms`, and for `spans[i][0]` milliseconds a minute costs `spans[i][1]` micros."""

    at_ms: int
    included_s: int
    minimum: int
    cap: int | None
    ends_at_cap: bool
    spans: list[tuple[int, int]]
    service: OpenService | None


class OpenPrice(msgspec.Struct, array_like=True):
    """The terms that the call is charged by, and the seconds paid for so far. `connect_fee_micros` is that of the time
    band in which the call began."""

    account_id: int
    prefix: str
    destination: str
    connect_fee_micros: int
    per_minute_micros: int
    initial_s: int
    next_s: int
    granted_s: int
    vat: str | None
    special: OpenSpecial | None = None


class OpenMeter(msgspec.Struct, array_like=True):
    """What somebody pays who sent the call on: the leg whose record carries it, and since when it counts."""

    leg: int
    started_mono: float
    price: OpenPrice


class EarlyInvite(msgspec.Struct, array_like=True):
    """An INVITE without a final answer: what its refusal or its CANCEL must repeat of it, and where that goes.

    `uri` is the Request-URI of ours, None for the caller's; `to` has our tag in the caller's.
    """

    uri: str | None
    vias: list[str]
    from_: str
    to: str
    call_id: str
    cseq_number: int
    flow: Flow


class OpenBuying(msgspec.Struct, array_like=True):
    """What a leg costs us: the terms that its record gets its `buy_micros` by. The prefix is on the record."""

    leg: int
    connect_fee_micros: int
    per_minute_micros: int
    initial_s: int
    next_s: int


class OpenCall(msgspec.Struct, array_like=True):
    """One live call. `answered_mono` is on the same clock as the process's heartbeat."""

    call_id: str
    answered_mono: float | None
    price: OpenPrice | None
    drafts: list[Cdr]
    dialogs: list[DialogState]
    invites: list[EarlyInvite] = []
    onward: list[OpenMeter] = []
    covers: list[OpenCover] = []
    buying: list[OpenBuying] = []


class Hangup(msgspec.Struct, array_like=True):
    """Dialogs of a finished call that still need their BYE, and INVITEs that a crash left without an end."""

    dialogs: list[DialogState]
    invites: list[EarlyInvite] = []
