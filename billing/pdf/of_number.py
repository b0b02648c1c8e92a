"""The PDF of a document by its number."""

import asyncio

import asyncpg

from billing.invoices.issue import find_document
from billing.pdf.render import CannotPrint, render_pdf
from provisioning.problems import Refused


async def pdf_of_number(connection: asyncpg.Connection, number: str, *, is_large_print: bool) -> bytes:
    """Made in a thread: a long one takes seconds. Raises LookupError for what cannot be made."""
    try:
        document = await find_document(connection, number)
        return await asyncio.to_thread(render_pdf, document, is_large_print=is_large_print)
    except (Refused, CannotPrint) as problem:
        raise LookupError(str(problem)) from problem
