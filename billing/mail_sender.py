"""Sends the mails that wait in the books, by the operator's mail server.

A mail is claimed by locking its row while it is sent: two senders never have one at once. A server's answer that got
lost makes it go out twice, with the same Message-ID, which mailboxes show once. What a server refuses for good is given
up at once, what it will not take now after KEEP_TRYING_DAYS; both are for a person (`offhook bill mails`).
"""

import hashlib
from collections.abc import Awaitable, Callable
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

import aiosmtplib
import asyncpg
import msgspec
import structlog

from billing.conf import MailSettings
from provisioning.printable import shorten
from switch.conf_voicemail import StartTls

SEND_WITHIN_S: Final = 60.0
FIRST_DELAY_S: Final = 60
DELAY_S_MAX: Final = 4 * 3600
# As long as mail servers themselves try (RFC 5321 4.5.4.1: at least 4-5 days).
KEEP_TRYING_DAYS: Final = 5
ANSWER_CHARS_MAX: Final = 200

# The number of an invoice, and whether in large print -> its PDF.
PdfOf = Callable[[asyncpg.Connection, str, bool], Awaitable[bytes]]

_CLAIM: Final = """
    SELECT id, key, recipient, subject, body, queued_at, tries,
           queued_at < now() - make_interval(days => $1) AS is_old
    FROM mails WHERE sent_at IS NULL AND gave_up_at IS NULL AND next_try_at <= now()
    ORDER BY next_try_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
"""

log = structlog.get_logger("billing.mail")


class SentMail(msgspec.Struct, frozen=True):
    """`answer` "": it was taken. `is_given_up`: nobody tries again."""

    mail_id: int
    answer: str = ""
    is_given_up: bool = False


async def send_next(db: asyncpg.Pool, conf: MailSettings, pdf_of: PdfOf) -> SentMail | None:
    """One mail, the one that is due longest. None: nothing is due, or there is no server."""
    if not conf.host or not conf.sender:
        return None
    async with db.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(_CLAIM, KEEP_TRYING_DAYS)
        if row is None:
            return None
        try:
            message = await _message(connection, conf, row, pdf_of)
            await _send(conf, message)
        except (aiosmtplib.SMTPException, OSError, ValueError, LookupError) as problem:
            return await _note(connection, row, problem)
        await connection.execute(
            "UPDATE mails SET sent_at = now(), tries = tries + 1, last_answer = '' WHERE id = $1", row["id"]
        )
        return SentMail(row["id"])


async def _message(
    connection: asyncpg.Connection, conf: MailSettings, row: asyncpg.Record, pdf_of: PdfOf
) -> EmailMessage:
    message = EmailMessage()
    message["From"] = conf.sender
    message["To"] = row["recipient"]
    message["Subject"] = row["subject"]
    message["Date"] = format_datetime(row["queued_at"])
    message["Message-ID"] = message_id(row["key"], conf.sender)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday note answers it
    if conf.reply_to:
        message["Reply-To"] = conf.reply_to
    message.set_content(row["body"])
    for each in await connection.fetch(
        "SELECT name, media_type, content, invoice_number, is_large_print FROM mail_attachments"
        " WHERE mail_id = $1 ORDER BY position",
        row["id"],
    ):
        content = each["content"]
        if content is None:
            content = await pdf_of(connection, each["invoice_number"], each["is_large_print"])
        kind, _, subtype = each["media_type"].partition("/")
        message.add_attachment(content, maintype=kind, subtype=subtype, filename=each["name"])
    return message


def message_id(key: str, sender: str) -> str:
    """The same whenever it is sent."""
    mark = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"<{mark}.billing@{sender.rpartition('@')[2]}>"


async def _send(conf: MailSettings, message: EmailMessage) -> None:
    starttls = {StartTls.NEVER: False, StartTls.REQUIRED: True, StartTls.OPTIONAL: None}[conf.starttls]
    await aiosmtplib.send(
        message,
        hostname=conf.host,
        port=conf.port,
        start_tls=starttls,
        username=conf.user or None,
        password=str(conf.password) or None,
        timeout=SEND_WITHIN_S,
    )


async def _note(connection: asyncpg.Connection, row: asyncpg.Record, problem: Exception) -> SentMail:
    answer = shorten(f"{type(problem).__name__}: {problem}", ANSWER_CHARS_MAX)
    is_given_up = _is_final(problem) or row["is_old"]
    delay_s = min(FIRST_DELAY_S * 2 ** min(row["tries"], 20), DELAY_S_MAX)
    await connection.execute(
        "UPDATE mails SET tries = tries + 1, last_answer = $2, next_try_at = now() + make_interval(secs => $3),"
        " gave_up_at = CASE WHEN $4 THEN now() END WHERE id = $1",
        row["id"],
        answer,
        delay_s,
        is_given_up,
    )
    if is_given_up:
        log.error("mail_given_up", mail=row["id"], answer=answer)
    return SentMail(row["id"], answer, is_given_up)


def _is_final(problem: Exception) -> bool:
    """The server will not take this mail, ever: 5xx for its recipient or its content. A refused login is ours."""
    if isinstance(problem, aiosmtplib.SMTPRecipientsRefused):
        return all(500 <= each.code < 600 for each in problem.recipients)
    return isinstance(problem, aiosmtplib.SMTPDataError) and 500 <= problem.code < 600
