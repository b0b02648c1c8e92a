"""What the books show to people: rows joined with the names an operator knows, and without any secret.

Money is micros of a pound, times are UTC milliseconds, numbers are E.164. These structs are what `--json`
prints.
"""

from datetime import datetime
from typing import Any

import msgspec

from provisioning.model import Account, DigestPolicy, Divert, Line, LineKind
from provisioning.plans.plan import Plan
from provisioning.settings import LineSettings
from rating.records import Cdr, MediaFigures


class AccountView(msgspec.Struct, frozen=True):
    """An account, the sum of its ledger as far as the books know it, and what belongs to it.

    Usage that the journal has not shipped yet is not in `balance_micros`: the running switch knows the live
    balance.
    """

    account: Account
    balance_micros: int
    lines: int
    numbers: int
    created_at_ms: int


class Movement(msgspec.Struct, frozen=True):
    """One row of an account's ledger. `call_id` is set for usage, `credit_seq` for what people move."""

    kind: str
    amount_micros: int
    at_ms: int
    memo: str
    call_id: str
    credit_seq: int | None


class AccountDetails(msgspec.Struct, frozen=True):
    """`offhook account show`: the latest movements first."""

    view: AccountView
    lines: list[str]
    numbers: list[str]
    movements: list[Movement]


class TopUp(msgspec.Struct, frozen=True):
    """A top-up that is in the books. `is_repeat`: it was there already, under the same idempotency key."""

    account: str
    amount_micros: int
    credit_seq: int
    balance_micros: int
    is_repeat: bool


class LineView(msgspec.Struct, frozen=True):
    user: str
    account: str
    realm: str
    digest: DigestPolicy
    cli: str
    withholds_cli: bool
    emergency_number: str
    emergency_address: str
    calls_max: int
    numbers: list[str]
    created_at_ms: int
    kind: LineKind
    addresses: list[str]
    calls_per_second_max: int
    diverts: list[Divert] = []
    settings: LineSettings = LineSettings()


class DivertView(msgspec.Struct, frozen=True):
    """A divert and whose it is."""

    line: str
    account: str
    divert: Divert


class AddedLine(msgspec.Struct, frozen=True):
    """A new line, or a line with a new password. `generated_password` is None when the caller chose it.

    It is the only place where a generated password ever stands: show it once.
    """

    line: Line
    generated_password: str | None


class NumberView(msgspec.Struct, frozen=True):
    e164: str
    line: str
    account: str
    assigned_at_ms: int
    plan: str = ""


class PlanView(msgspec.Struct, frozen=True):
    """A plan as it was written and as it is read, and the numbers that lead to it."""

    account: str
    name: str
    version: int
    changed_at_ms: int
    numbers: list[str]
    text: str
    plan: Plan


class CdrView(msgspec.Struct, frozen=True):
    """A CDR with the names of its accounts ("" for none), and what the relay counted on its leg."""

    cdr: Cdr
    account: str
    payer: str
    media: list[MediaFigures] = []


class QuarantinedRecord(msgspec.Struct, frozen=True):
    """A record that no table could take. `kind` is cdr, usage, conf or emergency; "" and no fields: unreadable."""

    id: int
    at_ms: int
    epoch: str
    batch: int
    reason: str
    kind: str
    fields: dict[str, Any]
    raw_hex: str


class CdrQuery(msgspec.Struct, frozen=True):
    """What to look for; None or "" means any. Times are aware; `since` is included, `until` is not.

    `cli` is the caller's network number and `called` the destination, in any spelling; what is not a
    telephone number (a line's name, a short code) is taken as it stands.
    """

    since: datetime | None = None
    until: datetime | None = None
    account: str = ""
    cli: str = ""
    called: str = ""
    call_id: str = ""
    limit: int = 50
