"""What is known of one case of the corpus: who plays which file from where, what each must hear, what is on record.

A file of the corpus was written for another server. Where it expects what only that server does, an edit changes the
copy that is played, or the expected answer is ours; `why` then says why that is right.
"""

from enum import Enum

import msgspec

from sipp_scenarios.scenarios import CREDIT, Leg
from tests.wire.sipp_cases.edits import Edit

CALL_TIMEOUT_S = 30


class Seat(Enum):
    """Where a SIPp stands, as the exchange sees it."""

    LINE = "a line of an account, logging in by digest"
    CARRIER = "a trunk, known by its address"
    STRANGER = "an address that nobody knows"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One SIPp. `file` is below the corpus's folder, or one of ours beside this file when it has no slash.

    `hears` is what reaches it, in order: "407 INVITE, 180 INVITE, 200 INVITE, 200 BYE" for responses (without 100s),
    "INVITE, ACK, BYE" for requests; repeats are left out. "" where that depends on timing. `exits` None: it waits for
    more than comes and is ended by us. `must_hear` and `must_not_hear` are regular expressions on the text of what
    it hears; `repeats` says how often at least one message of `hears` must come again. `login` is the method whose
    challenge is answered; `registers` makes of the same file one that registers the phone before.
    """

    file: str
    seat: Seat = Seat.LINE
    hears: str = ""
    edits: tuple[Edit, ...] = ()
    login: str = ""
    registers: tuple[Edit, ...] = ()
    exits: int | None = 0
    must_hear: tuple[str, ...] = ()
    must_not_hear: tuple[str, ...] = ()
    repeats: tuple[tuple[str, int], ...] = ()
    csv: str = ""
    words: tuple[str, ...] = ()


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One play of a case. `variant` tells a second play of the same case apart.

    `callees` are the phones of one line, or one carrier; `registrar` is a carrier that we register with. `legs` are
    the records. `service` is what is dialled in place of the callee's number, @USER@ being the caller's own name.
    `bindings` is how many the caller's line has afterwards (None: not asked), after one was made before if
    `bound_before`. `is_otherwise`: an edit puts our answer in place of the script's. `fails_until` names a feature
    that is not there yet, `leaves_out` what of the case is not played.
    """

    id: str
    variant: str = ""
    caller: Part | None = None
    callees: tuple[Part, ...] = ()
    registrar: Part | None = None
    legs: tuple[Leg, ...] = ()
    billed_s: int | None = None
    credit: str = CREDIT
    service: str = ""
    bindings: int | None = None
    bound_before: bool = False
    timeout_s: int = CALL_TIMEOUT_S
    why: str = ""
    is_otherwise: bool = False
    fails_until: str = ""
    leaves_out: str = ""

    @property
    def name(self) -> str:
        return f"{self.id}:{self.variant}" if self.variant else self.id
