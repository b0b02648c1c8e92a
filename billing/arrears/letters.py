"""What customers are written about arrears: plain words, what is owed, what happens when, how to pay, who helps.

Due warning and help are owed by General Conditions C3 and C5 of Ofcom and its guide of 2022 on treating vulnerable
customers fairly. The texts are billing/texts/arrears_*.txt, Jinja2, plain text; the first line is the subject.
"""

import datetime
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import jinja2

from billing.conf import BillingConf
from billing.open_items import OpenInvoice
from provisioning.settings import Restriction
from rating.money import format_pounds

TEXTS: Final = Path(__file__).parent.parent / "texts"

STOPS: Final = {
    Restriction.PREMIUM_AND_INTERNATIONAL: (
        "calls abroad and to numbers that begin with 09, 118, 084, 087 or 070 will not be possible"
    ),
    Restriction.OUTGOING: "outgoing calls will not be possible",
    Restriction.SUSPENDED: "your service will be suspended: no calls out, and none in",
    Restriction.CEASED: "your service will end, and you may lose your numbers",
}
STAYS: Final = {
    Restriction.PREMIUM_AND_INTERNATIONAL: "All other calls, and calls to you, go on as before.",
    Restriction.OUTGOING: (
        "Emergency calls (999 and 112), freephone numbers (080), helplines (116 numbers, 101, 105, 111, 119, 195),"
        " calls to us and calls to you go on as before."
    ),
    Restriction.SUSPENDED: "Emergency calls (999 and 112) and calls to us go on as before.",
    Restriction.CEASED: "Emergency calls (999 and 112) go on as before as long as your telephone is connected.",
}


def letter(what: str, conf: BillingConf, /, **facts: Any) -> tuple[str, str]:
    """Subject and text. `what` is the name of the file, without "arrears_"."""
    text = (
        _environment()
        .get_template(f"arrears_{what}.txt")
        .render(seller=conf.seller, help=conf.arrears.settings.help, **facts)
    )
    subject, _, body = text.partition("\n")
    return subject.strip(), body.strip() + "\n"


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEXTS),
        autoescape=False,  # noqa: S701 - plain text
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["pounds"] = format_pounds
    environment.filters["day"] = shown_day
    return environment


def shown_day(day: datetime.date) -> str:
    return f"{day:%A} {day.day} {day:%B %Y}"


def sum_of(invoices: Sequence[OpenInvoice]) -> int:
    return sum(invoice.open_micros for invoice in invoices)
