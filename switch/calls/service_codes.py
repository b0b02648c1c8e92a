"""What the exchange itself does when it is dialled: service codes, and numbers that lead to a service of its own.

A code is looked up by its name (ServiceCode.name: "1571", "*21", "#21"); what it asks for goes with it as its `args`.
Its table is the configuration's.
"""

import enum
from typing import TYPE_CHECKING

from switch.calls.number_plan import E164, Destination, ServiceCode

if TYPE_CHECKING:
    from switch.config import Conf


class Service(enum.Enum):
    """Own: from the line itself, which has proven who it is. Any: whose messages they are is asked for."""

    OWN_MAILBOX = "own mailbox"
    ANY_MAILBOX = "any mailbox"


def service_of(destination: Destination, conf: "Conf") -> Service | None:
    """None: it is no service that is offered here."""
    voicemail = conf.voicemail
    if voicemail.sip is None:
        return None
    match destination:
        case ServiceCode(args=()) as code if code.name == voicemail.code:
            return Service.OWN_MAILBOX
        case E164(number=number) if number in voicemail.access_numbers:
            return Service.ANY_MAILBOX
        case _:
            return None
