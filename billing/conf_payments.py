"""Payments in billing.toml: the billing process, the providers, Direct Debit; and their keys in billing_secrets.toml.

A provider is in use when its section is there and its keys are. The keys are in a file of mode 0600 that no log shows.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from billing.dated import Dated, read_dated
from switch.conf_files import ConfFile, ConfProblems, open_secrets_file
from switch.conf_reader import note_unknown_tables, read_struct
from switch.conf_values import Expected, OptionalAddress, Reads, Secret, read_secret

SECRETS_FILE: Final = "billing_secrets.toml"
TABLES: Final = ("billing", "payments", "stripe", "gocardless", "paypal", "direct_debit", "auto_top_up")
SECRET_TABLES: Final = ("stripe", "gocardless", "paypal")
URL_CHARS_MAX: Final = 500
COMMAND_WORDS_MAX: Final = 20
_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")


def read_api(value: object) -> str:
    """Where a provider answers: https, or plain http on this machine (a test's server). Without a slash at the end."""
    expected = Expected('an address of HTTPS without a path, like "https://api.example.com"')
    if (
        not isinstance(value, str)
        or len(value) > URL_CHARS_MAX
        or not value.isascii()
        or not value.isprintable()
    ):
        raise expected
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise expected from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(host))
    if not is_safe or not host or parts.username or parts.path.strip("/") or parts.query or parts.fragment:
        raise expected
    return value.rstrip("/")


def _is_this_machine(host: str) -> bool:
    return host == "::1" or host.startswith("127.")


def read_url(value: object) -> str:
    """A page of the operator's, or "" for none."""
    if value == "":
        return ""
    is_url = isinstance(value, str) and value.startswith(("https://", "http://")) and value.isprintable()
    if not is_url or len(str(value)) > URL_CHARS_MAX or " " in str(value):
        raise Expected('the address of a page, like "https://www.example.co.uk/paid"')
    return str(value)


def read_command(value: object) -> tuple[str, ...]:
    """A program with its arguments, by its full path; never a shell's line."""
    is_list = isinstance(value, list) and len(value) <= COMMAND_WORDS_MAX
    words: list[Any] = value if isinstance(value, list) else []
    if not is_list or not all(isinstance(word, str) and "\0" not in word for word in words):
        raise Expected('a program and its arguments, like ["/usr/local/bin/top-up", "--live"]')
    if words and not words[0].startswith("/"):
        raise Expected("a program by its full path", found=str(words[0])[:60])
    return tuple(words)


def read_key(value: object) -> str:
    if not isinstance(value, str) or not (value == "" or _KEY.fullmatch(value)):
        raise Expected("1 to 200 characters without spaces")
    return value


def read_optional_key(value: object) -> Secret:
    return Secret("") if value == "" else read_secret(value)


Api = Annotated[str, Reads(read_api)]
Url = Annotated[str, Reads(read_url)]
Command = Annotated[tuple[str, ...], Reads(read_command)]
Key = Annotated[str, Reads(read_key)]
OptionalKey = Annotated[Secret, Reads(read_optional_key)]


class ProcessConf(Struct, frozen=True):
    """[billing]: where the billing process listens. None: nowhere."""

    webhook_listen: OptionalAddress = None
    metrics_listen: OptionalAddress = None


class PaymentPages(Struct, frozen=True):
    """[payments]. `return_url` is where providers send customers back to."""

    return_url: Url = ""


class StripeConf(Struct, frozen=True):
    """[stripe]."""

    api: Api = "https://api.stripe.com"


class GoCardlessConf(Struct, frozen=True):
    """[gocardless]."""

    api: Api = "https://api.gocardless.com"


class PayPalConf(Struct, frozen=True):
    """[paypal]."""

    api: Api = "https://api-m.paypal.com"


class DirectDebitTerms(Struct, frozen=True):
    """[[direct_debit]]: the scheme's days, all of them working days. `lead_days`: a collection is handed in so long
    before its day; `representations`: how often one that failed is presented again without a new notice."""

    notice_days: Annotated[int, Meta(ge=1, le=60)] = 10
    representation_days: Annotated[int, Meta(ge=1, le=30)] = 3
    representations: Annotated[int, Meta(ge=0, le=5)] = 1
    lead_days: Annotated[int, Meta(ge=0, le=20)] = 3


class AutoTopUp(Struct, frozen=True):
    """[auto_top_up]. A day is one of Europe/London; `command` gets JSON on its standard input."""

    times_a_day: Annotated[int, Meta(ge=0, le=100)] = 3
    command: Command = ()
    command_timeout_s: Annotated[int, Meta(ge=1, le=300)] = 30


class PaymentsConf(Struct, frozen=True):
    """All of it. A provider is None where its section is not there."""

    process: ProcessConf = ProcessConf()
    pages: PaymentPages = PaymentPages()
    stripe: StripeConf | None = None
    gocardless: GoCardlessConf | None = None
    paypal: PayPalConf | None = None
    direct_debit: Dated[DirectDebitTerms] = Dated("direct_debit", ())
    auto_top_up: AutoTopUp = AutoTopUp()


class StripeSecrets(Struct, frozen=True):
    """[stripe] in billing_secrets.toml."""

    secret_key: OptionalKey = Secret("")
    webhook_secret: OptionalKey = Secret("")


class GoCardlessSecrets(Struct, frozen=True):
    """[gocardless] in billing_secrets.toml."""

    access_token: OptionalKey = Secret("")
    webhook_secret: OptionalKey = Secret("")


class PayPalSecrets(Struct, frozen=True):
    """[paypal] in billing_secrets.toml. `webhook_id` names the webhook at PayPal; it is part of what is signed."""

    client_id: Key = ""
    client_secret: OptionalKey = Secret("")
    webhook_id: Key = ""


class BillingSecrets(Struct, frozen=True):
    stripe: StripeSecrets = StripeSecrets()
    gocardless: GoCardlessSecrets = GoCardlessSecrets()
    paypal: PayPalSecrets = PayPalSecrets()


def read_payments(file: ConfFile) -> PaymentsConf:
    """Problems are noted in the file."""
    table = file.table
    conf = PaymentsConf(
        process=read_struct(file, ProcessConf, table.get("billing", {}), ("billing",)),
        pages=read_struct(file, PaymentPages, table.get("payments", {}), ("payments",)),
        stripe=read_struct(file, StripeConf, table["stripe"], ("stripe",)) if "stripe" in table else None,
        gocardless=read_struct(file, GoCardlessConf, table["gocardless"], ("gocardless",))
        if "gocardless" in table
        else None,
        paypal=read_struct(file, PayPalConf, table["paypal"], ("paypal",)) if "paypal" in table else None,
        direct_debit=read_dated(file, DirectDebitTerms, ("direct_debit",)),
        auto_top_up=read_struct(file, AutoTopUp, table.get("auto_top_up", {}), ("auto_top_up",)),
    )
    has_pages = conf.stripe or conf.gocardless or conf.paypal
    if has_pages and not conf.pages.return_url:
        file.note(("payments",), found="no return_url", expected="a page that customers come back to")
    return conf


def load_secrets(folder: Path) -> BillingSecrets:
    """A missing file holds none. Raises ConfProblems, also when others may read it."""
    file = open_secrets_file(folder, SECRETS_FILE)
    note_unknown_tables(file, SECRET_TABLES)
    secrets = BillingSecrets(
        stripe=read_struct(file, StripeSecrets, file.table.get("stripe", {}), ("stripe",)),
        gocardless=read_struct(file, GoCardlessSecrets, file.table.get("gocardless", {}), ("gocardless",)),
        paypal=read_struct(file, PayPalSecrets, file.table.get("paypal", {}), ("paypal",)),
    )
    if file.problems:
        raise ConfProblems(file.in_order())
    return secrets
