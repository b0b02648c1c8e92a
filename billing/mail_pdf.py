"""The PDF of an invoice that a mail is to carry, made when it is sent."""

import asyncpg

from billing.conf import BillingConf
from billing.mail_sender import PdfOf
from billing.pdf.of_number import pdf_of_number


def pdf_of(conf: BillingConf) -> PdfOf:  # noqa: ARG001 - a document has its seller on it, as he was when it was made
    """Raises LookupError for a number that there is not."""

    async def make(connection: asyncpg.Connection, number: str, is_large_print: bool) -> bytes:
        return await pdf_of_number(connection, number, is_large_print=is_large_print)

    return make
