"""What a line and an account have set: services, bars, caps, lists. Rows of the books, kept as one JSON value each.

What is identity or money stands in columns of its own; what a customer switches on and off stands here, so that a new
service is a field with a default and no migration. Numbers are E.164 with the plus. A pattern of numbers is a whole
number, a beginning with a star ("+4490*"), or WITHHELD.
"""

import enum
from typing import Final

import msgspec

WITHHELD: Final = "withheld"
CUSTOMER: Final = "customer"


class Bar(msgspec.Struct, frozen=True, omit_defaults=True):
    """A kind of call that is not allowed. `what` is a class ("premium", "international", "mobile", "directory",
    "national", "all"), a country ("country:ES") or a pattern; `time_set` is when, "" always."""

    what: str
    time_set: str = ""


class PresentedNumber(msgspec.Struct, frozen=True, omit_defaults=True):
    """A number that the line may present although it is not assigned to it (Ofcom's types 3 to 5 of presentation
    numbers); of type 4, which is whoever called the customer, also a beginning with a star ("+44*", "+*").
    `undertaking` names the document that is kept, `until` is the last day, ISO, "" for ever."""

    e164: str
    presentation_type: int
    undertaking: str
    until: str = ""


class LineSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """New fields go to the end, with a default.

    `bars` are the customer's own, by code or portal; `operator_bars` only the operator can lift. `refuses_diverts`: no
    other line's divert may lead here (PECR 2003 reg. 17). `hidden_callers` are blocked callers that withheld their
    number: only a keyed hash of it is kept. `traces_until`: up to that day (ISO, Europe/London, included) every call to
    the line is kept for tracing (PECR 2003 reg. 15), "" none. `offline_mail` is who is told by mail when no phone of
    the line has been registered for some minutes, or its phones come and go: an address, CUSTOMER for the account's
    customer, or "". `divert_hint`: the message lamp is lit while calls are diverted.
    """

    does_not_disturb: bool = False
    rejects_anonymous: bool = False
    has_call_waiting: bool = True
    bars_incoming: bool = False
    bars: tuple[Bar, ...] = ()
    operator_bars: tuple[Bar, ...] = ()
    refuses_diverts: bool = False
    blocked_callers: tuple[str, ...] = ()
    hidden_callers: tuple[str, ...] = ()
    blocked_destinations: tuple[str, ...] = ()
    speed_dials: dict[str, str] = {}
    pickup_group: str = ""
    presents: tuple[PresentedNumber, ...] = ()
    traces_until: str = ""
    offline_mail: str = ""
    divert_hint: bool = False


class Restriction(enum.StrEnum):
    """What an account whose bills are overdue may still do, from all to nothing (switch/calls/restrictions.py)."""

    NONE = ""
    PREMIUM_AND_INTERNATIONAL = "premium_and_international"
    OUTGOING = "outgoing"
    SUSPENDED = "suspended"
    CEASED = "ceased"


class AccountSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """Caps are micros of a pound a calendar day or month, Europe/London; None is none. `opted_in` are the high-cost
    destinations, as patterns or classes, that the customer has asked to be opened. `restriction` is billing's, for
    what is overdue (billing/arrears). Under `low_balance_micros` the customer gets a mail; under
    `auto_top_up_below_micros` the account is topped up by `auto_top_up_micros`."""

    bars: tuple[Bar, ...] = ()
    operator_bars: tuple[Bar, ...] = ()
    opted_in: tuple[str, ...] = ()
    daily_cap_micros: int | None = None
    monthly_cap_micros: int | None = None
    blocked_callers: tuple[str, ...] = ()
    blocked_destinations: tuple[str, ...] = ()
    restriction: Restriction = Restriction.NONE
    low_balance_micros: int | None = None
    auto_top_up_micros: int | None = None
    auto_top_up_below_micros: int | None = None


# What nobody has changed, as the one object that the call path recognises without looking inside.
PLAIN_LINE: Final = LineSettings()
PLAIN_ACCOUNT: Final = AccountSettings()
