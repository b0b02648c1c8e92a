"""Accounts, lines and numbers as the call path needs them: the books' rows in memory.

PostgreSQL owns them. The books process reads them there and hands the switch a snapshot, then every change in order.
Money is micros of a pound; numbers are E.164 with the plus.
"""

import enum

import msgspec

from provisioning.plans.plan import Plan
from provisioning.settings import PLAIN_ACCOUNT, PLAIN_LINE, AccountSettings, LineSettings
from rating.bundle_terms import BundleTerms
from rating.money import VatMode


class AccountKind(enum.Enum):
    PREPAID = "prepaid"
    POSTPAID = "postpaid"


class DigestPolicy(enum.Enum):
    """Which challenges a line gets. `both` sends SHA-256 first, as RFC 8760 asks; some phones cannot take it."""

    MD5 = "md5"
    BOTH = "both"
    SHA256 = "sha256"


class LineKind(enum.Enum):
    """What is at a line's end: a phone, or a customer's trunk, a PBX that wants to be told the number dialled."""

    PHONE = "phone"
    TRUNK = "trunk"


class DivertCondition(enum.Enum):
    """When calls to a line go on: always, busy, unanswered, no phone of it can be reached, or somebody said no."""

    ALL = "all"
    BUSY = "busy"
    NO_REPLY = "no_reply"
    UNREACHABLE = "unreachable"
    DECLINED = "declined"


class DivertKind(enum.Enum):
    """What a divert leads to: the line's mailbox, a number, a line of the account, a plan of it, or words."""

    VOICEMAIL = "voicemail"
    NUMBER = "number"
    LINE = "line"
    PLAN = "plan"
    ANNOUNCEMENT = "announcement"


class Divert(msgspec.Struct, frozen=True):
    """One destination of one condition. `destination` says which of its kind, "" where there is one only.

    `ring_s` is for `no_reply`: how long the line rings before; else 0. `answer_s` is how long the destination is rung
    before the next one, 0 as long as a call may. `sources` (patterns, WITHHELD), `ddis` (E.164) and `time_set` say
    which calls it is for; empty is every one. What applies is gone through in its order.
    """

    condition: DivertCondition
    kind: DivertKind
    destination: str = ""
    ring_s: int = 0
    answer_s: int = 0
    sources: tuple[str, ...] = ()
    ddis: tuple[str, ...] = ()
    time_set: str = ""
    is_enabled: bool = True


class Account(msgspec.Struct, frozen=True):
    """Who pays. `credit_limit_micros` is how far below zero a postpaid account may go; prepaid has 0."""

    id: int
    name: str
    kind: AccountKind
    vat: VatMode
    tariff: str
    credit_limit_micros: int
    is_suspended: bool
    calls_max: int
    settings: AccountSettings = PLAIN_ACCOUNT

    @property
    def floor_micros(self) -> int:
        return -self.credit_limit_micros


class LineAddress(msgspec.Struct, frozen=True):
    """Where a PBX is that does not register. `transport` is udp, tcp or tls."""

    transport: str
    host: str
    port: int

    @property
    def is_datagram(self) -> bool:
        return self.transport == "udp"

    @property
    def host_port(self) -> str:
        """As in a URI: an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.transport}:{self.host_port}"


class Line(msgspec.Struct, frozen=True):
    """A registration identity: the user part of its AOR, its password's HA1s, and what it may present.

    Only a trunk has `addresses`. The `diverts` of one condition are in their order. New fields go to the end, with a
    default: an older release wrote the checkpoint.
    """

    user: str
    account_id: int
    realm: str
    ha1_md5: str
    ha1_sha256: str
    digest: DigestPolicy
    cli: str
    emergency_number: str
    emergency_address: str
    withholds_cli: bool
    calls_max: int
    kind: LineKind = LineKind.PHONE
    addresses: tuple[LineAddress, ...] = ()
    calls_per_second_max: int = 0
    diverts: tuple[Divert, ...] = ()
    settings: LineSettings = PLAIN_LINE

    @property
    def has_mailbox(self) -> bool:
        return any(divert.kind is DivertKind.VOICEMAIL for divert in self.diverts)


class Number(msgspec.Struct, frozen=True):
    """A DDI assigned here and the line that it rings. With a `plan`, calls go by that one of the line's account; the
    line still owns the number, pays and presents it."""

    e164: str
    line: str
    plan: str = ""


class AccountPlan(msgspec.Struct, frozen=True):
    """A plan of an account, ready to be walked. `version` counts its imports."""

    account_id: int
    name: str
    version: int
    plan: Plan


class AccountBalance(msgspec.Struct, frozen=True):
    """The sum of an account's ledger, and the `credit_seq` of the last credit row in that sum."""

    account_id: int
    balance_micros: int
    credit_seq: int


class AccountSpend(msgspec.Struct, frozen=True):
    """What an account has been charged on a day of Europe/London and in its month so far (rating/london_day.py)."""

    account_id: int
    day: int
    day_micros: int
    month: int
    month_micros: int


class BundleBalance(msgspec.Struct, frozen=True):
    """A bundle and what calls had used of it; `destinations` only where it limits how many numbers may be called."""

    terms: BundleTerms
    used_s: int = 0
    carried_s: int = 0
    destinations: tuple[str, ...] = ()


class CreditRow(msgspec.Struct, frozen=True):
    """One movement made by people: a top-up (positive) or an adjustment. `credit_seq` is dense per account."""

    account_id: int
    credit_seq: int
    amount_micros: int


class Snapshot(msgspec.Struct):
    """The books at one moment (one REPEATABLE READ transaction), as the switch starts from them.

    `change_seq` is the last change contained. `journal_epoch`/`journal_batch` is the last journal batch whose usage
    is in the balances: the switch replays what the journal holds above it. `spends` are those of the day on which it
    was taken, of the accounts that have any; `bundles` are those that are not over. New fields go to the end, with a
    default.
    """

    taken_at_ms: int
    change_seq: int
    journal_epoch: str
    journal_batch: int
    accounts: list[Account]
    balances: list[AccountBalance]
    lines: list[Line]
    numbers: list[Number]
    spends: list[AccountSpend] = []
    plans: list[AccountPlan] = []
    bundles: list[BundleBalance] = []


class AccountChanged(msgspec.Struct, frozen=True, tag="account"):
    account: Account


class LineChanged(msgspec.Struct, frozen=True, tag="line"):
    line: Line


class LineRemoved(msgspec.Struct, frozen=True, tag="line_removed"):
    user: str


class NumberChanged(msgspec.Struct, frozen=True, tag="number"):
    number: Number


class NumberRemoved(msgspec.Struct, frozen=True, tag="number_removed"):
    e164: str


class PlanChanged(msgspec.Struct, frozen=True, tag="plan"):
    plan: AccountPlan


class PlanRemoved(msgspec.Struct, frozen=True, tag="plan_removed"):
    account_id: int
    name: str


class BundleChanged(msgspec.Struct, frozen=True, tag="bundle"):
    """A new grant, or one that was ended. What it has been used for only the exchange knows."""

    bundle: BundleTerms


class Credited(msgspec.Struct, frozen=True, tag="credited"):
    credit: CreditRow


Change = (
    AccountChanged
    | LineChanged
    | LineRemoved
    | NumberChanged
    | NumberRemoved
    | Credited
    | PlanChanged
    | PlanRemoved
    | BundleChanged
)
