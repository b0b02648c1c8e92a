"""A question to the running switch over its control socket (switch/control.py): one JSON object a line each way."""

import asyncio
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from provisioning.socket_path import short_socket_path

ANSWER_WAIT_S: Final = 5.0
# The trace of one call: 256 KiB of messages at most, in base64.
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024


Told = TypeVar("Told")


class SwitchSilentError(Exception):
    """Nobody answers, or not as it should; the text says it."""


class _Answer(msgspec.Struct):
    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""


async def ask_switch(path: Path, command: str, **arguments: Any) -> bytes:
    """The result as JSON. Raises SwitchSilentError."""
    line = msgspec.json.encode({"command": command, **arguments}) + b"\n"
    try:
        with short_socket_path(path) as short:
            reader, writer = await asyncio.open_unix_connection(short, limit=ANSWER_BYTES_MAX)
        try:
            writer.write(line)
            answer = msgspec.json.decode(
                await asyncio.wait_for(reader.readline(), ANSWER_WAIT_S), type=_Answer
            )
        finally:
            writer.close()
    except (OSError, TimeoutError, ValueError, msgspec.MsgspecError) as problem:
        raise SwitchSilentError(f"the switch does not answer ({type(problem).__name__})") from None
    if not answer.ok:
        raise SwitchSilentError(f"the switch says no: {answer.error}")
    return bytes(answer.result)


async def ask_switch_for(kind: type[Told], path: Path, command: str, **arguments: Any) -> Told:
    """The result as what it is. Raises SwitchSilentError, also where the switch is of another release."""
    answer = await ask_switch(path, command, **arguments)
    try:
        return msgspec.json.decode(answer, type=kind)
    except msgspec.MsgspecError:
        raise SwitchSilentError("the switch answers what this release does not understand") from None
