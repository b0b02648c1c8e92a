"""From the run to the customer: somebody else's mail server takes the PDF, somebody else's program reads it."""

import datetime
import io

import asyncpg
from pypdf import PdfReader

from billing.conf import MailSettings
from billing.mail_pdf import pdf_of
from billing.mail_sender import send_next
from billing.payments.payment import Method
from billing.payments.received import Money, received
from rating.money import VatMode
from tests.billing.books import CONF, POUND, add_account, add_call, add_customer, balance
from tests.billing.invoices.test_run import run
from tests.billing.test_mail_sender import Mailbox, with_mailbox


def pdf_in(mailbox: Mailbox) -> tuple[str, PdfReader]:
    """The name of the only file, and the file."""
    [message] = mailbox.messages
    [attachment] = message.iter_attachments()
    assert attachment.get_content_type() == "application/pdf"
    return attachment.get_filename() or "", PdfReader(io.BytesIO(attachment.get_content()))


def test_m23_c11_a_large_print_invoice_arrives_by_mail(dsn: str) -> None:
    async def body(db: asyncpg.Pool, mailbox: Mailbox, mail: MailSettings) -> None:
        account = await add_account(db)
        await add_customer(db, account, wants_large_print=True)
        await add_call(db, account, POUND)
        await run(db)
        sent = await send_next(db, mail, pdf_of(CONF))
        assert sent is not None and sent.answer == ""
        name, pdf = pdf_in(mailbox)
        assert name == "INV000001.pdf"
        words = " ".join(page.extract_text() for page in pdf.pages)
        assert "quote the invoice number" in words and "£1.20" in words
        assert len(pdf.pages) > 2, "large print"
        assert "quote the invoice number INV000001" in mailbox.messages[0].get_body().get_content()  # type: ignore[union-attr]

    with_mailbox(dsn, body)


def test_m16_money_that_comes_in_sends_its_vat_invoice_in_both_kinds_of_prices(dsn: str) -> None:
    async def body(db: asyncpg.Pool, mailbox: Mailbox, mail: MailSettings) -> None:
        for vat, credit in ((VatMode.INC_VAT, 12 * POUND), (VatMode.EX_VAT, 10 * POUND)):
            account = await add_account(db, is_postpaid=False, vat=vat)
            await add_customer(db, account)
            at = datetime.datetime(2026, 11, 1, 12, tzinfo=datetime.UTC)
            money = Money(account, Method.CARD, "stripe", f"pi_{account}", 12 * POUND, at)
            async with db.acquire() as connection, connection.transaction():
                done = await received(connection, CONF, money)
            assert done.invoice is not None
            assert await balance(db, account) == credit
            mailbox.messages.clear()
            await send_next(db, mail, pdf_of(CONF))
            name, pdf = pdf_in(mailbox)
            words = " ".join(page.extract_text() for page in pdf.pages)
            assert name == f"{done.invoice}.pdf"
            assert "£10.00" in words and "£2.00" in words and "Received by card on 1 November 2026" in words

    with_mailbox(dsn, body)
