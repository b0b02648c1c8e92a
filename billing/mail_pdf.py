"""The PDF of an invoice that a mail is to carry, made when it is sent."""

import asyncpg

from billing.conf import BillingConf
from billing.mail_sender import PdfOf


def pdf_of(conf: BillingConf) -> PdfOf:
    """Raises LookupError where nobody can make one."""

    async def make(connection: asyncpg.Connection, number: str, is_large_print: bool) -> bytes:  # noqa: ARG001
        raise LookupError(f"no PDF of {number} can be made")

    return make
