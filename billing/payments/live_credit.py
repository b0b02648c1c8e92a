"""What a running exchange says of an account: asked over its control socket before money goes out.

The switch is the authority for what calls have used and hold: the books learn of it seconds later. Money that goes out
is taken off the ledger first; when the switch has seen that row, and still has not less than nothing available, no
call has it and none can get it.
"""

import asyncio
from pathlib import Path
from typing import Final

import msgspec

from provisioning.socket_path import short_socket_path

ANSWER_TIMEOUT_S: Final = 5.0
ANSWER_BYTES_MAX: Final = 1024 * 1024
# The exchange polls the change table every second; an outage of the books can make it later.
SEEN_WITHIN_S: Final = 10.0
POLL_S: Final = 0.1


class NoExchange(Exception):  # noqa: N818 - it may well not run
    """No exchange answers on this data directory, or it knows no such account yet."""


class LiveCredit(msgspec.Struct, frozen=True):
    """`available_micros`: what new calls could still take. `credit_seq`: the last movement that the switch has seen."""

    balance_micros: int
    reserved_micros: int
    available_micros: int
    credit_seq: int


class _Answer(msgspec.Struct):
    ok: bool
    result: LiveCredit | None = None
    error: str = ""


async def live_credit(control_socket: Path, account_name: str) -> LiveCredit:
    """Raises NoExchange."""
    question = msgspec.json.encode({"command": "account", "name": account_name}) + b"\n"
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            with short_socket_path(control_socket) as path:
                reader, writer = await asyncio.open_unix_connection(path, limit=ANSWER_BYTES_MAX)
            try:
                writer.write(question)
                await writer.drain()
                answer = msgspec.json.decode(await reader.readline(), type=_Answer)
            finally:
                writer.close()
    except (OSError, ValueError, msgspec.MsgspecError) as problem:
        raise NoExchange(f"the exchange does not answer ({type(problem).__name__})") from None
    if answer.result is None:
        raise NoExchange(answer.error or "the exchange does not answer")
    return answer.result


async def credit_after(control_socket: Path, account_name: str, credit_seq: int) -> LiveCredit:
    """As soon as the switch has seen that movement. Raises NoExchange, also when it does not within SEEN_WITHIN_S."""
    polls = round(SEEN_WITHIN_S / POLL_S)
    for _ in range(polls):
        found = await live_credit(control_socket, account_name)
        if found.credit_seq >= credit_seq:
            return found
        await asyncio.sleep(POLL_S)
    raise NoExchange("the exchange has not seen the movement in time")
