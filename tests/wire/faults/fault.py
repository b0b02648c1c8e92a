"""One fault: how it is made, and what the fault desk has to say of the call in which it happened."""

import itertools
from collections.abc import Callable
from typing import Final

import msgspec

from sipp_scenarios.exchange import HOST
from tests.wire.faults.desk import Desk

_numbers: Final = itertools.count(1)


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """`make` has the call made, ended and gone; it gives the Call-ID that the caller's phone knows it by.

    `named` are the findings of conf/fault-patterns.toml that are right as the first one, `where` what it has to say of
    whose the fault is.
    """

    make: Callable[[Desk], str]
    named: tuple[str, ...]
    where: str
    software: str

    @property
    def name(self) -> str:
        return self.make.__name__


def dial(desk: Desk, user: str, dialled: str, *steps: str, host: str = HOST, seconds: int = 150) -> str:
    """A SIPp that calls once, until its script ends; how is not asked, as the records say it."""
    call_id = f"{user}-{next(_numbers)}-{desk.port}@example.com"
    with desk.sipp(
        f"{user}-calls", *steps, user=user, dialled=dialled, call_id=call_id, host=host, seconds=seconds
    ) as run:
        run.exit_code()
    return call_id
