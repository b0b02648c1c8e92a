"""The terms of a call, or of a leg that somebody sends it on to: who is shown, where it goes, who pays what."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from provisioning.model import DivertCondition, Line
from rating.money import Micros
from rating.tariff import Rate
from switch.calls.identity import CallerId
from switch.calls.refusal import Refusal
from switch.calls.routing import RouteRule
from switch.calls.service_codes import CodeRule
from switch.calls.target import Target
from switch.trunks.trunks import Skipped

if TYPE_CHECKING:
    from switch.calls.journey import Journey
    from switch.calls.leg import Leg


class Hop(msgspec.Struct, frozen=True):
    """One line that sent the call on. `number` is the one that was called, "" where it was called by its name."""

    line: Line
    number: str
    condition: DivertCondition


class Sender(msgspec.Struct, frozen=True):
    """Who sends a call on, and pays for where it goes then. `reason` is for the record; `hops` are the lines that have
    diverted the call by now. `is_plan`: a plan of the line's account does, and the last of the hops, where there is
    one, is the number that leads to it."""

    line: Line
    reason: str
    hops: tuple[Hop, ...] = ()
    is_plan: bool = False


class Route(msgspec.Struct):
    """Where a call goes. `number` is E.164, a short code, or "" when a line was called by its user name.

    `refused` is what the caller is told after the words of an announcement. `lines` are those whose phones ring first.
    `code` is a service code's, which has no target yet; `pressed` is what a key dials that is pressed while a service
    speaks. `journey` decides what comes after the stages. `replaces` is the end whose place the
    caller takes; at `slot` a call will be parked that is transferred to this one. `rule` is the route of routing.toml,
    `below_cost` the trunks that take more than the call is sold for, and are let through.
    """

    number: str
    ddi: str
    line: Line | None
    stages: Sequence[Sequence[Target]]
    is_emergency: bool = False
    relay_prefix: str = ""
    skipped: Sequence[Skipped] = ()
    refused: Refusal | None = None
    lines: tuple[Line, ...] = ()
    is_announcement: bool = False
    is_service: bool = False
    code: CodeRule | None = None
    pressed: dict[str, str] = {}
    journey: "Journey | None" = None
    replaces: "Leg | None" = None
    slot: int = 0
    rule: RouteRule | None = None
    below_cost: dict[str, Micros] = {}


class Price:
    """What the caller's account pays. `rate` None is free: emergency, on-net, or a carrier calling in.

    With an `origin`, where a carrier's call comes from, it is what the owner of the called number pays for it.
    `attempt` prices the attempt itself, answered or not.
    """

    __slots__ = ("account_id", "attempt", "origin", "rate", "tariff", "tariff_version")

    def __init__(
        self,
        account_id: int | None = None,
        rate: Rate | None = None,
        tariff: str = "",
        tariff_version: str = "",
        origin: str = "",
        attempt: Rate | None = None,
    ) -> None:
        self.account_id = account_id
        self.rate = rate
        self.tariff = tariff
        self.tariff_version = tariff_version
        self.origin = origin
        self.attempt = attempt


class Admission:
    """Everything that a call needs to begin, or a leg that a `sender` sends it on to. `is_counted`: such a leg is one
    of the calls that the account which pays for it may have at once."""

    __slots__ = ("caller_id", "dialled", "is_counted", "price", "route", "sender")

    def __init__(
        self,
        caller_id: CallerId,
        dialled: str,
        route: Route,
        price: Price,
        sender: Sender | None = None,
        is_counted: bool = True,
    ) -> None:
        self.caller_id = caller_id
        self.dialled = dialled
        self.route = route
        self.price = price
        self.sender = sender
        self.is_counted = is_counted

    @property
    def counts_for(self) -> int | None:
        """The account of whose calls at once such a leg is one."""
        return self.price.account_id if self.is_counted else None

    @property
    def hops(self) -> tuple[Hop, ...]:
        """The lines that have diverted the call by now."""
        return () if self.sender is None else self.sender.hops
