"""Whom a request outside calls is about: the line that its Request-URI names, by user name or by number."""

from provisioning.model import Line
from switch.calls.attempt import dialled_text
from switch.calls.number_plan import E164, Short, read_dialled
from switch.calls.switchboard import Switchboard
from switch.sip.message import Request


def line_named(request: Request, board: Switchboard) -> Line | None:
    """None where nobody of that name is. Numbers are read as they are dialled."""
    text = dialled_text(request)
    line = board.books.lines.get(text)
    if line is not None:
        return line
    match read_dialled(text, board.conf.routing.plan).destination:
        case E164(number=number) | Short(number=number):
            assigned = board.books.numbers.get(number)
            return board.books.lines.get(assigned.line) if assigned is not None else None
        case _:
            return None
