"""What customers are written about arrears: plain words, what is owed, what happens when, how to pay, who helps.

Due warning and help are owed by General Conditions C3 and C5 of Ofcom and its guide of 2022 on treating vulnerable
customers fairly. The texts are billing/texts/arrears_*.txt, Jinja2, plain text; the first line is the subject.
"""

import datetime
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import asyncpg
import jinja2
import msgspec

from billing.conf import BillingConf
from billing.customers import Customer
from billing.mail import queue_mail
from billing.open_items import OpenInvoice
from provisioning.problems import Refused
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


async def write(
    connection: asyncpg.Connection,
    customer: Customer | None,
    account_id: int,
    *,
    key: str,
    subject: str,
    text: str,
    today: datetime.date,
) -> None:
    """By mail; who has no address for that gets a letter, which waits for somebody to post it. Once for each key."""
    if customer is not None and customer.email:
        await queue_mail(connection, key=key, to=customer.email, subject=subject, text=text)
        return
    await connection.execute(
        "INSERT INTO arrears_letters (key, account_id, subject, body, written_on) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (key) DO NOTHING",
        key,
        account_id,
        subject,
        text,
        today,
    )


class Letter(msgspec.Struct, frozen=True):
    """One that is to be posted. `address` is its lines, with whom it is to."""

    id: int
    account: str
    written_on: datetime.date
    subject: str
    text: str
    address: tuple[str, ...]
    wants_large_print: bool


async def letters_to_post(db: asyncpg.Pool) -> list[Letter]:
    """The oldest first."""
    rows = await db.fetch(
        "SELECT l.*, a.name, c.company, c.contact, c.address, coalesce(c.wants_large_print, false) AS is_large"
        " FROM arrears_letters l JOIN accounts a ON a.id = l.account_id LEFT JOIN customers c ON c.account_id = a.id"
        " WHERE l.posted_on IS NULL ORDER BY l.id"
    )
    return [
        Letter(
            row["id"],
            row["name"],
            row["written_on"],
            row["subject"],
            row["body"],
            tuple(line for line in (row["company"], row["contact"], *(row["address"] or ())) if line),
            row["is_large"],
        )
        for row in rows
    ]


async def posted(db: asyncpg.Pool, letter_id: int, today: datetime.date) -> None:
    """Somebody has taken it to the post: from now on its time runs."""
    done = await db.execute(
        "UPDATE arrears_letters SET posted_on = $2 WHERE id = $1 AND posted_on IS NULL", letter_id, today
    )
    if done == "UPDATE 0":
        raise Refused(f"there is no letter {letter_id} that waits to be posted")


def sum_of(invoices: Sequence[OpenInvoice]) -> int:
    return sum(invoice.open_micros for invoice in invoices)
