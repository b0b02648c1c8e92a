"""Barred destinations: which calls a line's or an account's bars do not allow, and when.

A bar names a class, a country or a pattern (provisioning/settings.py):

    premium        09
    mobile         all of 07: mobiles, pagers and personal numbers (070 is dearer than any mobile)
    directory      118xxx and 195
    national       other UK numbers that cost something: 01, 02, 03, 055, 056, 082, 084, 087; operator codes and 159
    international  everything abroad, but not the Crown dependencies, whose numbers are dialled like UK ones
    satellite      +870 and +881 to +883, which `international` bars, too
    all            every call, to lines of the exchange, too
    country:ES     numbers of one country (countries.py); country:JE, GG and IM are the Crown dependencies
    +4490* or +447700900123: numbers that begin so, or one number; short codes as they are dialled, like 159

Freephone numbers (080), 116xxx and the free short codes of public services (101, 105, 111, 119) are barred by `all`
only. Emergency calls never come here. What is barred goes by the number that was dialled, wherever it is answered.
"""

from typing import Final

import msgspec

from provisioning.model import Account, Line
from provisioning.settings import AccountSettings, Bar
from switch.calls import refusal
from switch.calls.countries import COUNTRY_CODES, country_of
from switch.calls.number_plan import E164, E164_DIGITS_MAX, NumberClass, Short
from switch.calls.refusal import Refusal
from switch.journey.time_sets import TimeSets

ALL: Final = "all"
COUNTRY: Final = "country:"
SATELLITE: Final = "satellite"
SATELLITES: Final = ("+870", "+881", "+882", "+883")

_BARRED_BY: Final = {
    NumberClass.GEOGRAPHIC: "national",
    NumberClass.UK_WIDE: "national",
    NumberClass.CORPORATE: "national",
    NumberClass.VOIP: "national",
    NumberClass.PERSONAL: "mobile",
    NumberClass.MOBILE: "mobile",
    NumberClass.PAGING: "mobile",
    NumberClass.NETWORK: "national",
    NumberClass.UNBUNDLED: "national",
    NumberClass.PREMIUM: "premium",
    NumberClass.DIRECTORY: "directory",
    NumberClass.OPERATOR: "national",
    NumberClass.INTERNATIONAL: "international",
}
CLASSES: Final = frozenset({*_BARRED_BY.values(), ALL, SATELLITE})
# 159, the banks' fraud helpline, is charged by some; the others of its class are free everywhere.
_CHARGED_SERVICES: Final = frozenset({"159"})

Destination = E164 | Short | None  # None: a line of the exchange, called by its name


class SetBar(msgspec.Struct, frozen=True):
    """A bar that stops a call: whose it is decides who can lift it."""

    bar: Bar
    is_of_line: bool
    is_operators: bool

    def __str__(self) -> str:
        owner = "the line" if self.is_of_line else "the account"
        at = f" (in {self.bar.time_set})" if self.bar.time_set else ""
        lifted_by = "the operator" if self.is_operators else "the customer"
        return f'barred for {owner}: "{self.bar.what}"{at}; {lifted_by} can lift it'


def has_bars(line: Line, account: Account | None) -> bool:
    """What every call pays for bars: nearly none has any."""
    own = line.settings
    if own.bars or own.operator_bars:
        return True
    return account is not None and bool(account.settings.bars or account.settings.operator_bars)


def barred(
    line: Line, account: Account | None, destination: Destination, utc_ms: int, time_sets: TimeSets
) -> SetBar | None:
    """The first bar that does not allow this call now: the operator's before the customer's, None where none does."""
    if not has_bars(line, account):
        return None
    own = line.settings
    theirs = account.settings if account is not None else AccountSettings()
    places = (
        (own.operator_bars, True, True),
        (theirs.operator_bars, False, True),
        (theirs.bars, False, False),
        (own.bars, True, False),
    )
    for bars, is_of_line, is_operators in places:
        for bar in bars:
            if matches(bar.what, destination) and _holds(bar.time_set, utc_ms, time_sets):
                return SetBar(bar, is_of_line, is_operators)
    return None


def _holds(time_set: str, utc_ms: int, time_sets: TimeSets) -> bool:
    """A bar whose time set is no longer there holds always: closed is safer than open."""
    return not time_set or time_set not in time_sets or time_sets.is_in(time_set, utc_ms)


def refusal_of(stopped: SetBar) -> Refusal:
    """Words for the record, and for the Reason that a phone may show."""
    return msgspec.structs.replace(refusal.BARRED, words=str(stopped))


def matches(what: str, destination: Destination) -> bool:
    """Whether a class, country or pattern is about this destination."""
    if what == ALL:
        return True
    if destination is None or _is_free(destination):
        return False
    number = destination.number
    if what in CLASSES:
        return number.startswith(SATELLITES) if what == SATELLITE else what == barring_class(destination)
    if what.startswith(COUNTRY):
        return isinstance(destination, E164) and country_of(number) == what[len(COUNTRY) :].upper()
    return number.startswith(what[:-1]) if what.endswith("*") else number == what


def barring_class(destination: E164 | Short) -> str:
    """The class that a bar would name, "" for what is barred by `all` only."""
    return _BARRED_BY.get(destination.number_class, "") or ("" if _is_free(destination) else "national")


def _is_free(destination: E164 | Short) -> bool:
    kind = destination.number_class
    if kind is NumberClass.FREEPHONE or kind is NumberClass.SOCIAL:
        return True
    return kind is NumberClass.PUBLIC_SERVICE and destination.number not in _CHARGED_SERVICES


def is_known(what: str) -> bool:
    """Whether a bar or an opt-in that names this could ever match: for those who store one."""
    if what in CLASSES:
        return True
    if what.startswith(COUNTRY):
        return what[len(COUNTRY) :].upper() in COUNTRY_CODES
    digits = what.removesuffix("*").removeprefix("+")
    return digits.isascii() and digits.isdigit() and len(digits) <= E164_DIGITS_MAX
