"""What the journal knows of a call that is not over: enough to end it properly after a crash.

Kept under `c/<call id>` from before the first INVITE goes out until the end record replaces it. The dialogs are those
that a BYE can be sent in; the CDRs are drafts that recovery completes. `h/<call id>` holds the dialogs whose BYE is not
answered yet.
"""

import msgspec

from rating.records import Cdr
from switch.sip.dialog_state import DialogState

OPEN_KEY = "c/"
HANGUP_KEY = "h/"


class OpenPrice(msgspec.Struct, array_like=True):
    """The terms that the call is charged by, and the seconds paid for so far."""

    account_id: int
    prefix: str
    destination: str
    connect_fee_micros: int
    per_minute_micros: int
    initial_s: int
    next_s: int
    granted_s: int
    vat: str | None


class OpenCall(msgspec.Struct, array_like=True):
    """One live call. `answered_mono` is on the same clock as the process's heartbeat."""

    call_id: str
    answered_mono: float | None
    price: OpenPrice | None
    drafts: list[Cdr]
    dialogs: list[DialogState]


class Hangup(msgspec.Struct, array_like=True):
    """Dialogs of a finished call that still need their BYE."""

    dialogs: list[DialogState]
