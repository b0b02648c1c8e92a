"""Mails of billing: rows of `mails`, written in the transaction of what they tell, sent later by billing's process.

A key makes a mail be there once, however often its cause is worked through. An invoice is attached by its number and
made when the mail is sent: the same document gives the same bytes whenever that is.
"""

import re
from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from provisioning.problems import InvalidValue
from switch.conf_voicemail import is_mail_address

# A line of a mail has at most 998 octets (RFC 5322 2.1.1); a subject of ours is a few words.
SUBJECT_CHARS_MAX: Final = 200
TEXT_CHARS_MAX: Final = 100_000
# The largest mail that most servers take is 10 MB, and base64 makes four bytes of three.
ATTACHED_BYTES_MAX: Final = 7_000_000
ATTACHMENTS_MAX: Final = 10

_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MEDIA_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9.+-]+")


class Attachment(msgspec.Struct, frozen=True):
    """A file: its bytes, or the number of the invoice whose PDF it is (then `content` is empty)."""

    name: str
    media_type: str = "application/pdf"
    content: bytes = b""
    invoice_number: str = ""
    is_large_print: bool = False


async def queue_mail(
    connection: asyncpg.Connection,
    *,
    key: str,
    to: str,
    subject: str,
    text: str,
    attachments: Sequence[Attachment] = (),
) -> bool:
    """True if it was queued now, False if one with this key was queued before (and is left as it is).

    In the transaction that the caller has opened. Raises InvalidValue for what cannot be a mail; other people's text
    in subject and text is made harmless: a subject is one line, a text is only ever the body.
    """
    _check(to, text, attachments)
    mail_id = await connection.fetchval(
        "INSERT INTO mails (key, recipient, subject, body) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (key) DO NOTHING RETURNING id",
        key,
        to,
        one_line(subject),
        text.replace("\0", ""),
    )
    if mail_id is None:
        return False
    await connection.executemany(
        "INSERT INTO mail_attachments (mail_id, position, name, media_type, content, invoice_number, is_large_print)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [
            (
                mail_id,
                position,
                attachment.name,
                attachment.media_type,
                attachment.content if not attachment.invoice_number else None,
                attachment.invoice_number or None,
                attachment.is_large_print,
            )
            for position, attachment in enumerate(attachments)
        ],
    )
    return True


def one_line(text: str) -> str:
    """A header's value: nothing that does not print, no line end, so many characters at most."""
    return "".join(character if character.isprintable() else " " for character in text)[:SUBJECT_CHARS_MAX]


def _check(to: str, text: str, attachments: Sequence[Attachment]) -> None:
    if not is_mail_address(to):
        raise InvalidValue("e-mail address", to, "one like name@example.co.uk")
    if len(text) > TEXT_CHARS_MAX:
        raise InvalidValue("mail", text, f"at most {TEXT_CHARS_MAX} characters")
    if len(attachments) > ATTACHMENTS_MAX:
        raise InvalidValue("attachments", str(len(attachments)), f"at most {ATTACHMENTS_MAX}")
    for attachment in attachments:
        if not _FILE_NAME.fullmatch(attachment.name):
            raise InvalidValue("attachment's name", attachment.name, "letters, digits and . _ -")
        if not _MEDIA_TYPE.fullmatch(attachment.media_type):
            raise InvalidValue("attachment's type", attachment.media_type, "one like application/pdf")
        if bool(attachment.content) == bool(attachment.invoice_number):
            raise InvalidValue("attachment", attachment.name, "bytes, or the number of an invoice")
        if len(attachment.content) > ATTACHED_BYTES_MAX:
            size = f"{len(attachment.content)} bytes"
            raise InvalidValue("attachment's size", size, f"at most {ATTACHED_BYTES_MAX} bytes")
