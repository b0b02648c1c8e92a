"""billing.toml: who sells, VAT, documents, mail. The file may be missing: then billing says so, and calls go on.

Each area of billing has a struct of its own in `billing/conf_<area>.py`, with `read_<area>(file) -> <Area>Conf` and
`TABLES`, the names of its sections. It is composed here: a field of `BillingConf`, a line in `read_billing`.
"""

from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct

from billing.conf_arrears import NO_ARREARS, ArrearsConf, read_arrears
from billing.conf_arrears import TABLES as ARREARS_TABLES
from billing.conf_fields import (
    AccountNumber,
    AddressLines,
    OptionalMailAddress,
    Percent,
    Pounds,
    SortCode,
    Text,
    VatNumber,
)
from billing.conf_payments import TABLES as PAYMENTS_TABLES
from billing.conf_payments import PaymentsConf, read_payments
from billing.conf_subscriptions import PLAIN as PLAIN_SUBSCRIPTIONS
from billing.conf_subscriptions import TABLES as SUBSCRIPTIONS_TABLES
from billing.conf_subscriptions import SubscriptionsConf, read_subscriptions
from billing.dated import Dated, read_dated
from billing.vat import VatRounding
from switch.conf_files import ConfFile, ConfProblems, open_conf_file
from switch.conf_reader import note_unknown_tables, read_struct
from switch.conf_values import Expected, OptionalHost, Reads, Secret
from switch.conf_voicemail import OptionalSecret, StartTls

BILLING_FILE: Final = "billing.toml"
TABLES: Final = (
    *("seller", "vat", "simplified_invoice", "invoice", "mail"),
    *SUBSCRIPTIONS_TABLES,
    *PAYMENTS_TABLES,
    *ARREARS_TABLES,
)
# BACS takes 18 characters of a reference, and a number has at least six digits behind its prefix.
PREFIX_CHARS_MAX: Final = 6


def read_prefix(value: object) -> str:
    """What stands before the digits of a number."""
    is_sound = isinstance(value, str) and value.isascii() and value.replace("-", "A").isalnum()
    if (
        not is_sound
        or str(value).upper() != value
        or len(str(value)) > PREFIX_CHARS_MAX
        or str(value)[-1].isdigit()
    ):
        raise Expected(
            f'1 to {PREFIX_CHARS_MAX} capital letters, digits and -, with no digit at the end, like "INV"'
        )
    return str(value)


class Seller(Struct, frozen=True):
    """[seller]: what stands at the head of each document, and where money is paid to."""

    name: Text = ""
    address: AddressLines = ()
    vat_number: VatNumber = ""
    company_number: Text = ""
    email: OptionalMailAddress = ""
    phone: Text = ""
    website: Text = ""
    bank_name: Text = ""
    account_name: Text = ""
    sort_code: SortCode = ""
    account_number: AccountNumber = ""


class VatRate(Struct, frozen=True):
    """[[vat]]: the standard rate, in basis points (2000 is 20 %)."""

    percent: Percent = 2000


class SimplifiedInvoice(Struct, frozen=True):
    """[[simplified_invoice]]: up to which total, in micros with VAT, an invoice may be a simplified one."""

    up_to: Pounds = 250_000_000


class InvoiceSettings(Struct, frozen=True):
    """[invoice]."""

    vat_rounding: VatRounding = VatRounding.HALF_UP
    payment_days: Annotated[int, Meta(ge=0, le=120)] = 14
    prefix: Annotated[str, Reads(read_prefix)] = "INV"
    payment_prefix: Annotated[str, Reads(read_prefix)] = "PAY"
    credit_prefix: Annotated[str, Reads(read_prefix)] = "CRN"
    run_on_day: Annotated[int, Meta(ge=0, le=28)] = 0


class MailSettings(Struct, frozen=True):
    """[mail]: the server that takes mail, and who it is from. `host` "": mails wait in the books."""

    host: OptionalHost = ""
    port: Annotated[int, Meta(ge=1, le=65_535)] = 25
    starttls: StartTls = StartTls.OPTIONAL
    user: Text = ""
    password: OptionalSecret = Secret("")
    sender: OptionalMailAddress = ""
    reply_to: OptionalMailAddress = ""


class BillingConf(Struct, frozen=True):
    """The file as a whole."""

    seller: Seller
    vat: Dated[VatRate]
    simplified_invoice: Dated[SimplifiedInvoice]
    invoice: InvoiceSettings
    mail: MailSettings
    subscriptions: SubscriptionsConf = PLAIN_SUBSCRIPTIONS
    payments: PaymentsConf = PaymentsConf()
    arrears: ArrearsConf = NO_ARREARS


class NoBillingFile(Exception):  # noqa: N818 - a no with its reason; nothing broke
    """There is no billing.toml in the folder."""


def load_billing(folder: Path) -> BillingConf:
    """Raises NoBillingFile, and ConfProblems with everything that is wrong in it."""
    if not (folder / BILLING_FILE).exists():
        raise NoBillingFile(f"there is no {BILLING_FILE} in {folder}: billing needs one, and calls do not")
    file = open_conf_file(folder, BILLING_FILE)
    conf = read_billing(file)
    if file.problems:
        raise ConfProblems(file.in_order())
    return conf


def read_billing(file: ConfFile) -> BillingConf:
    """Problems are noted in the file."""
    note_unknown_tables(file, TABLES)
    conf = BillingConf(
        seller=read_struct(file, Seller, file.table.get("seller", {}), ("seller",)),
        vat=read_dated(file, VatRate, ("vat",)),
        simplified_invoice=read_dated(file, SimplifiedInvoice, ("simplified_invoice",)),
        invoice=read_struct(file, InvoiceSettings, file.table.get("invoice", {}), ("invoice",)),
        mail=read_struct(file, MailSettings, file.table.get("mail", {}), ("mail",)),
        subscriptions=read_subscriptions(file),
        payments=read_payments(file),
        arrears=read_arrears(file),
    )
    if not file.problems:
        _check(file, conf)
    return conf


def _check(file: ConfFile, conf: BillingConf) -> None:
    """What must be there before a document may be made."""
    for dated in (conf.vat, conf.simplified_invoice):
        if not dated.entries:
            file.note(
                (dated.name,), found=f"no [[{dated.name}]]", expected="one for each day on which it changed"
            )
    prefixes = (conf.invoice.prefix, conf.invoice.payment_prefix, conf.invoice.credit_prefix)
    if len(set(prefixes)) < len(prefixes):
        file.note(
            ("invoice",), found="one prefix for two kinds of documents", expected="three different ones"
        )
