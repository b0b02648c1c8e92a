"""The letter: to whom, why now, in which words; queued or noted as posted in the transaction that says so, once."""

import datetime
from typing import Final

import asyncpg
import msgspec

from billing.complaints.conf import ComplaintsConf
from billing.conf import Seller
from billing.mail import queue_mail
from billing.payments.texts import rendered
from billing.subscriptions.months import months_after, words
from provisioning.complaints import Complaint, EventKind, LetterReason, LetterWay, add_within, clock_of, entry
from provisioning.complaints.clock import london_day, midnight
from provisioning.complaints.rows import details_of, letter_key
from provisioning.complaints.store import locked
from provisioning.problems import Refused
from provisioning.utc import time_from_ms

# In which the customer may go to the scheme.
MONTHS_TO_GO: Final = 12
NO_SCHEME: Final = "conf/complaints.toml does not name your scheme for dispute resolution: fill in [scheme]"
NO_SELLER: Final = "conf/billing.toml does not say who writes the letter: fill in the name of [seller]"


class AlreadySent(Refused):
    """Somebody else was faster, or it was long ago."""


class Letter(msgspec.Struct, frozen=True):
    subject: str
    text: str


def write_letter(
    complaint: Complaint, reason: LetterReason, conf: ComplaintsConf, seller: Seller, on: datetime.date
) -> Letter:
    """Raises Refused while there is no scheme to name, or nobody who names it."""
    if not conf.scheme.is_whole:
        raise Refused(NO_SCHEME)
    if not seller.name:
        raise Refused(NO_SELLER)
    text = rendered(
        "complaint_letter.txt",
        reference=complaint.reference,
        name=complaint.addressee,
        received_on=words(london_day(time_from_ms(complaint.received_at_ms))),
        written_on=words(on),
        until=words(months_after(on, MONTHS_TO_GO)),
        is_deadlock=reason is LetterReason.DEADLOCK,
        scheme=conf.scheme,
        seller=seller,
    )
    subject, _, body = text.partition("\n")
    return Letter(subject, body)


def reason_of(complaint: Complaint, conf: ComplaintsConf, on: datetime.date) -> LetterReason:
    """Why the letter goes out on that day. Raises Refused where it does not."""
    if not complaint.has_adr:
        raise Refused(f"{complaint.reference}: a business of more than ten people has no right to the letter")
    # The last moment of the day: what is due on it may go out on it at any hour.
    clock = clock_of(
        complaint, conf.terms, midnight(on + datetime.timedelta(1)) - datetime.timedelta(seconds=1)
    )
    if complaint.has_letter:
        raise AlreadySent(f"{complaint.reference}: the letter was sent already")
    if clock.letter_reason is not None:
        return clock.letter_reason
    if clock.letter_due_on is None:
        raise Refused(f"{complaint.reference} is closed, and no letter is due")
    raise Refused(f"{complaint.reference}: no letter before a deadlock, or {clock.letter_due_on}")


async def mail_letter(
    db: asyncpg.Pool, reference: str, conf: ComplaintsConf, seller: Seller, *, staff: str, on: datetime.date
) -> str:
    """Queue it; the address. Raises Refused for what cannot be sent, or has been."""
    async with db.acquire() as connection, connection.transaction():
        complaint = (await locked(connection, reference)).complaint
        letter = write_letter(complaint, reason_of(complaint, conf, on), conf, seller, on)
        if complaint.mail_state == "given-up":
            raise Refused(f"{reference}: no server took the letter's mail: `offhook bill mails`, or post it")
        if not complaint.email:
            raise Refused(
                f"{reference}: there is no e-mail address: post it, `offhook complaint letter {reference} --print`"
            )
        await queue_mail(
            connection,
            key=letter_key(reference),
            to=complaint.email,
            subject=letter.subject,
            text=letter.text,
        )
        await add_within(connection, reference, entry.letter(LetterWay.MAIL, letter.text, on), staff=staff)
        return complaint.email


async def note_posted(
    db: asyncpg.Pool,
    reference: str,
    conf: ComplaintsConf,
    seller: Seller,
    *,
    staff: str,
    at: datetime.datetime,
) -> None:
    """Somebody has taken it to the post. Raises Refused as above, InvalidValue for a time that has not been."""
    on = london_day(at)
    async with db.acquire() as connection, connection.transaction():
        complaint = (await locked(connection, reference)).complaint
        letter = write_letter(complaint, reason_of(complaint, conf, on), conf, seller, on)
        await add_within(
            connection, reference, entry.letter(LetterWay.POST, letter.text, on, at), staff=staff
        )


async def letter_to_print(
    db: asyncpg.Pool, reference: str, conf: ComplaintsConf, seller: Seller, on: datetime.date
) -> Letter:
    """As it went out, or as it would today. Raises Refused where it would not."""
    async with db.acquire() as connection:
        found = await details_of(connection, reference)
    complaint = found.complaint
    gone = [each for each in found.events if each.event is EventKind.LETTER]
    if complaint.has_letter and gone:
        return Letter(f"Your complaint {reference}", gone[-1].words)
    return write_letter(complaint, reason_of(complaint, conf, on), conf, seller, on)
