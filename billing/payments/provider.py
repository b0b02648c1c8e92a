"""What a provider of payments is to us: one interface for cards, PayPal and Direct Debit.

News (webhooks) only say where to look. What has become of a payment is asked for, and the answer is the whole state of
it; so news may be lost, repeated and out of order. Amounts are micros. A provider's no is `ProviderRefused`: nothing
happened there. `ProviderUnreachable` says that nobody knows; the same call with the same key may be made again.
"""

import enum
from collections.abc import Mapping
from datetime import date
from typing import Any, Protocol

import msgspec

from billing.payments.payment import MICROS_PER_PENNY, Method
from provisioning.printable import shorten

NEWS_MAX = 250  # GoCardless sends that many in one request; nobody else sends more than one
PROBLEM_CHARS_MAX = 200


class ViewState(enum.Enum):
    """`open`: the customer has not paid yet. The others are those of our own row."""

    OPEN = "open"
    PENDING = "pending"
    RECEIVED = "received"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ReturnKind(enum.StrEnum):
    REFUND = "refund"
    CHARGEBACK = "chargeback"
    FAILURE = "failure"  # a Direct Debit that the bank took back days after it was confirmed


class ReturnView(msgspec.Struct, frozen=True):
    """Money that went back, as the provider has it. `ours` is our own row's id when we asked for it. `is_undone`: it
    was refused after all, or a dispute was won."""

    kind: ReturnKind
    reference: str
    amount_micros: int
    is_undone: bool = False
    ours: int | None = None


class MethodView(msgspec.Struct, frozen=True):
    """A card or mandate that may be taken from again. `state` as in payment_methods."""

    provider: str
    reference: str
    customer: str
    account_id: int | None
    state: str
    label: str


class PaymentView(msgspec.Struct, frozen=True):
    """A payment as its provider has it now. `reference` is the one name that it has for ever, whatever it was asked
    for by. `account_id` None: it is none of ours. `returns_are_whole`: a failure after it was received took all of it
    back and `returns` need not say so."""

    provider: str
    reference: str
    method: Method
    account_id: int | None
    state: ViewState
    amount_micros: int
    quoted: str = ""
    problem: str = ""
    returns: tuple[ReturnView, ...] = ()
    saved: MethodView | None = None


class Wanted(msgspec.Struct, frozen=True):
    """What a customer is to pay. `key` makes it once at the provider, however often it is asked for."""

    account_id: int
    amount_micros: int
    key: str
    description: str
    quoted: str = ""
    email: str = ""
    saves_method: bool = False


class Page(msgspec.Struct, frozen=True):
    """Where the customer pays or gives a mandate."""

    reference: str
    url: str


class Refunded(msgspec.Struct, frozen=True):
    reference: str


class Subject(enum.StrEnum):
    PAYMENT = "payment"
    METHOD = "method"
    NOTHING = "nothing"


class News(msgspec.Struct, frozen=True):
    """One verified event. `detail` holds what the provider cannot be asked for afterwards."""

    provider: str
    event: str
    kind: str
    subject: Subject
    reference: str
    detail: dict[str, Any] = {}


class ProviderRefused(Exception):  # noqa: N818 - a no with its reason; nothing broke
    """The provider said no, and nothing happened there. The text is fit to be shown."""


class ProviderUnreachable(Exception):  # noqa: N818
    """No answer, or none that can be understood: nobody knows whether it happened."""


class ForgedNews(Exception):  # noqa: N818
    """Not signed by the provider, too old, or no event at all. The text is ours, nothing of it is the sender's."""


class Provider(Protocol):
    """Blocking libraries run in threads behind it. The names in `payments.provider` are theirs for ever."""

    @property
    def name(self) -> str: ...

    async def open_page(self, wanted: Wanted) -> Page:
        """A page of the provider's where the customer pays, or gives a mandate (amount 0)."""

    async def charge(
        self, method: MethodView, wanted: Wanted, *, charge_on: date | None = None
    ) -> PaymentView:
        """Take from a stored method. The customer is not there."""

    async def retry(self, reference: str, *, key: str, charge_on: date | None) -> PaymentView:
        """Present a failed payment again."""

    async def look(self, reference: str) -> PaymentView:
        """What has become of a payment, by any name that the provider has given it."""

    async def look_method(self, reference: str) -> MethodView: ...

    async def refund(
        self, payment: PaymentView, amount_micros: int, *, return_id: int, reason: str
    ) -> Refunded:
        """Give money back. Asked twice with the same return_id it happens once."""

    async def read_news(self, headers: Mapping[str, str], body: bytes) -> list[News]:
        """Raises ForgedNews, or ProviderUnreachable where the provider has to be asked. `headers` are lower-case."""


def pence_of(amount_micros: int) -> int:
    pence, rest = divmod(amount_micros, MICROS_PER_PENNY)
    assert rest == 0, "payments are whole pennies"
    return pence


def micros_of_pence(pence: object) -> int:
    """Raises ProviderUnreachable: an amount that cannot be read is no amount."""
    if not isinstance(pence, int) or isinstance(pence, bool) or pence < 0:
        raise ProviderUnreachable("the provider's answer has no amount")
    return pence * MICROS_PER_PENNY


def account_of(text: object) -> int | None:
    """Our account's id as we gave it to the provider; None of what is not ours."""
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 9:
        return None
    return int(text)


def problem_text(problem: object) -> str:
    return shorten(str(problem), PROBLEM_CHARS_MAX)


def check_currency(found: object, reference: str) -> None:
    """Books are in pounds. Money of another kind is for a person to look at, not to be credited."""
    if not isinstance(found, str) or found.upper() != "GBP":
        raise ProviderRefused(f"{shorten(reference)} is not in pounds but in {shorten(str(found))}")
