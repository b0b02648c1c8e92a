"""The terms of a product as they are typed: "UK 600:600:uk,mobile", "remaining:80"."""

import re
from typing import Final

from billing.subscriptions.products import Amounts
from billing.subscriptions.terms import EarlyTermination, EarlyTerminationKind, Included
from offhook.commands.options import pounds
from offhook.exit_codes import CommandError, ExitCode
from provisioning.printable import shorten
from rating.rate import ON_NET

INCLUDE_EXPECTED: Final = 'NAME:MINUTES:GROUP, such as "UK 600:600:uk,mobile,+4420"'
LEAVING_EXPECTED: Final = "none, remaining:PERCENT, of_term:PERCENT, fixed:INC_VAT or fixed:INC_VAT/EX_VAT"

_INCLUDE: Final = re.compile(r"([^:]{1,64}):([0-9]{1,7}):(.+)")
_PREFIX_BEGINS: Final = frozenset("+0123456789")
_PERCENT: Final = re.compile("[0-9]{1,3}")


def read_included(text: str, *, carries_over: bool) -> Included:
    """Groups of the tariff, and prefixes, which begin with + or a digit or are on-net, with commas between."""
    match = _INCLUDE.fullmatch(text)
    if match is None:
        raise CommandError(f"--include {shorten(text)!r}: expected {INCLUDE_EXPECTED}", ExitCode.INVALID)
    name, minutes, where = match.groups()
    parts = [part.strip() for part in where.split(",") if part.strip()]
    prefixes = tuple(part for part in parts if part[0] in _PREFIX_BEGINS or part == ON_NET)
    groups = tuple(part for part in parts if part not in prefixes)
    return Included(name, int(minutes) * 60, groups, prefixes, carries_over)


def read_leaving(text: str, told: str) -> EarlyTermination:
    """What leaving within the term costs."""
    name, _, figure = text.partition(":")
    try:
        kind = EarlyTerminationKind(name)
    except ValueError:
        raise _wrong(text) from None
    if kind is EarlyTerminationKind.NONE and not figure:
        return EarlyTermination()
    if kind is EarlyTerminationKind.FIXED and figure:
        inc, _, ex = figure.partition("/")
        amounts = amounts_of(inc, ex, "--leaving")
        return EarlyTermination(
            kind, inc_vat_micros=amounts.inc_vat_micros, ex_vat_micros=amounts.ex_vat_micros, told=told
        )
    if kind in (EarlyTerminationKind.REMAINING, EarlyTerminationKind.OF_TERM) and _PERCENT.fullmatch(figure):
        return EarlyTermination(kind, percent=int(figure), told=told)
    raise _wrong(text)


def amounts_of(inc_vat: str, ex_vat: str, option: str) -> Amounts:
    """ "" is not given."""
    return Amounts(
        pounds(inc_vat, option) if inc_vat else None,
        pounds(ex_vat, option) if ex_vat else None,
    )


def _wrong(text: str) -> CommandError:
    return CommandError(f"--leaving {shorten(text)!r}: expected {LEAVING_EXPECTED}", ExitCode.INVALID)
