"""Mails leave the books by SMTP: once, in order, with what they carry; and are tried again or given up."""

import asyncio
import email
import email.policy
from collections.abc import Awaitable, Callable
from email.message import EmailMessage

import asyncpg
import msgspec
from aiosmtpd.smtp import SMTP, Envelope, Session

from billing.conf import MailSettings
from billing.mail import Attachment, queue_mail
from billing.mail_sender import message_id, send_next
from switch.conf_voicemail import StartTls
from tests.billing.payments.books import with_books


class Mailbox:
    """A mail server that keeps what it takes, and answers as it is told."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.answer = "250 OK"
        self.recipient_answer = "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.recipient_answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient_answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        if self.answer.startswith("250"):
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            self.messages.append(message)
        return self.answer


async def no_pdf(connection: asyncpg.Connection, number: str, is_large_print: bool) -> bytes:
    raise LookupError(number)


def with_mailbox(dsn: str, body: Callable[[asyncpg.Pool, Mailbox, MailSettings], Awaitable[None]]) -> None:
    async def run(db: asyncpg.Pool) -> None:
        mailbox = Mailbox()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(mailbox, hostname="mail.example.co.uk"), "127.0.0.1", 0
        )
        port = server.sockets[0].getsockname()[1]
        conf = MailSettings(
            host="127.0.0.1", port=port, starttls=StartTls.NEVER, sender="billing@example.co.uk"
        )
        async with server:
            await body(db, mailbox, conf)

    with_books(dsn, run)


async def queue(db: asyncpg.Pool, key: str, **facts: object) -> None:
    async with db.acquire() as connection, connection.transaction():
        await queue_mail(
            connection,
            key=key,
            to="a@example.com",
            subject=f"Subject of {key}",
            text="Grüße,\n.\nfrom us\n",
            **facts,  # type: ignore[arg-type]
        )


def test_a_mail_is_sent_once_with_what_it_carries(dsn: str) -> None:
    async def body(db: asyncpg.Pool, mailbox: Mailbox, conf: MailSettings) -> None:
        await queue(db, "k1", attachments=[Attachment("a.pdf", content=b"%PDF-drama")])
        assert await send_next(db, conf, no_pdf) is not None
        assert await send_next(db, conf, no_pdf) is None
        (message,) = mailbox.messages
        assert (message["From"], message["To"]) == ("billing@example.co.uk", "a@example.com")
        assert message["Message-ID"] == message_id("k1", conf.sender)
        assert message["Auto-Submitted"] == "auto-generated"
        text, attached = message.get_body(), list(message.iter_attachments())
        assert text is not None
        assert text.get_content().replace("\r\n", "\n") == "Grüße,\n.\nfrom us\n"
        assert [(each.get_filename(), each.get_content()) for each in attached] == [("a.pdf", b"%PDF-drama")]

    with_mailbox(dsn, body)


def test_ten_senders_at_once_send_each_mail_once(dsn: str) -> None:
    async def body(db: asyncpg.Pool, mailbox: Mailbox, conf: MailSettings) -> None:
        for number in range(20):
            await queue(db, f"k{number}")

        async def work() -> None:
            while await send_next(db, conf, no_pdf) is not None:
                pass

        await asyncio.gather(*(work() for _ in range(8)))
        ids = [message["Message-ID"] for message in mailbox.messages]
        assert (len(ids), len(set(ids))) == (20, 20)

    with_mailbox(dsn, body)


def test_a_server_that_will_not_take_it_now_is_asked_later_for_days(dsn: str) -> None:
    async def body(db: asyncpg.Pool, mailbox: Mailbox, conf: MailSettings) -> None:
        await queue(db, "k1")
        mailbox.answer = "451 later"
        first = await send_next(db, conf, no_pdf)
        assert first is not None
        assert (first.is_given_up, "451" in first.answer or "later" in first.answer) == (False, True)
        assert await send_next(db, conf, no_pdf) is None, "not before its time"
        await db.execute("UPDATE mails SET next_try_at = now(), queued_at = now() - interval '6 days'")
        last = await send_next(db, conf, no_pdf)
        assert last is not None
        assert last.is_given_up
        assert await send_next(db, conf, no_pdf) is None

    with_mailbox(dsn, body)


def test_a_recipient_that_does_not_exist_is_given_up_at_once(dsn: str) -> None:
    async def body(db: asyncpg.Pool, mailbox: Mailbox, conf: MailSettings) -> None:
        await queue(db, "k1")
        mailbox.recipient_answer = "550 no such user"
        done = await send_next(db, conf, no_pdf)
        assert done is not None
        assert done.is_given_up

    with_mailbox(dsn, body)


def test_without_a_server_mails_wait(dsn: str) -> None:
    async def body(db: asyncpg.Pool, mailbox: Mailbox, conf: MailSettings) -> None:
        await queue(db, "k1")
        assert await send_next(db, msgspec.structs.replace(conf, host=""), no_pdf) is None
        done = await send_next(db, msgspec.structs.replace(conf, port=1), no_pdf)
        assert done is not None
        assert not done.is_given_up
        assert await db.fetchval("SELECT sent_at IS NULL FROM mails")

    with_mailbox(dsn, body)
