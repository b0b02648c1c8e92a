"""The PDF of a document by its number, made by a process of its own.

typst keeps what it has laid out for ten documents more, hundreds of megabytes where they are long; a process that ends
gives it back, and one that hangs can be ended.
"""

import asyncio
import os
import sys
from typing import Final

import asyncpg

# The longest that is printed takes some ten seconds.
PRINT_WITHIN_S: Final = 120.0
LARGE: Final = "--large-print"
# Python's own words about a failure end with the reason.
REASON_CHARS_MAX: Final = 300


async def pdf_of_number(connection: asyncpg.Connection, number: str, *, is_large_print: bool) -> bytes:
    """Raises LookupError for what cannot be made."""
    text = await connection.fetchval("SELECT document::text FROM invoices WHERE number = $1", number)
    if text is None:
        raise LookupError(f"there is no document {number}")
    arguments = [sys.executable, "-m", "billing.pdf", *([LARGE] if is_large_print else [])]
    pipe = asyncio.subprocess.PIPE
    printer = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        made, words = await asyncio.wait_for(printer.communicate(text.encode()), PRINT_WITHIN_S)
    except TimeoutError:
        raise LookupError(f"{number} could not be printed within {PRINT_WITHIN_S:.0f} s") from None
    finally:
        if printer.returncode is None:
            printer.kill()
            await printer.wait()
    if printer.returncode or not made:
        reason = words.decode("utf-8", "replace").strip()[-REASON_CHARS_MAX:]
        raise LookupError(f"{number} could not be printed: {reason}")
    return made
