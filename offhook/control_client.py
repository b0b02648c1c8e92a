"""Asks a running switch something over its control socket: one JSON object a line each way.

    {"command": "calls"}  ->  {"ok": true, "result": [...]}  or  {"ok": false, "error": "..."}

It is blocking: a command asks one question and ends. What the results hold is the switch's
(switch/control.py).
"""

import socket
from typing import Any

import msgspec

from offhook.exit_codes import CommandError, ExitCode
from offhook.paths import DataDir
from provisioning.socket_path import short_socket_path

ANSWER_TIMEOUT_S = 10.0
# 100,000 registrations of some 300 bytes each; more is not an answer but a fault.
ANSWER_BYTES_MAX = 64 * 1024 * 1024
READ_BYTES = 256 * 1024


class Answer(msgspec.Struct):
    ok: bool
    result: Any = None
    error: str = ""


def ask(data: DataDir, command: str, **arguments: Any) -> Any:
    """The result of one control command.

    Raises CommandError: UNREACHABLE when no exchange answers on this data directory, REFUSED when it says no.
    """
    line = msgspec.json.encode({"command": command, **arguments}) + b"\n"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(ANSWER_TIMEOUT_S)
            with short_socket_path(data.control_socket) as path:
                connection.connect(path)
            connection.sendall(line)
            answer = msgspec.json.decode(_read_line(connection), type=Answer)
    except OSError as problem:
        raise CommandError(not_running_text(data, problem), ExitCode.UNREACHABLE) from None
    except msgspec.MsgspecError as problem:
        raise CommandError(f"the exchange's answer cannot be read: {problem}", ExitCode.UNREACHABLE) from None
    if not answer.ok:
        raise CommandError(answer.error or "the exchange refused without a reason")
    return answer.result


def not_running_text(data: DataDir, problem: OSError) -> str:
    if isinstance(problem, PermissionError):
        return f"{data.control_socket} may not be opened by this user: run the command as the exchange's user"
    if isinstance(problem, (FileNotFoundError, ConnectionRefusedError)):
        return f"no exchange is running on {data.root}: start it with `offhook up`, or name another --data"
    return f"the exchange on {data.root} does not answer: {problem.strerror or problem}"


def _read_line(connection: socket.socket) -> bytes:
    received = bytearray()
    while not received.endswith(b"\n"):
        data = connection.recv(READ_BYTES)
        if not data or len(received) > ANSWER_BYTES_MAX:
            raise ConnectionResetError("it closed the connection in the middle of an answer")
        received += data
    return bytes(received)
