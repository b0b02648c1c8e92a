"""safety.toml: what an account must ask for before it may call it, and what looks like fraud.

A folder without the file, as older releases made it, has the defaults.
"""

import enum
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct

from rating.money import MoneyProblem, parse_pounds
from switch.calls.bars import COUNTRY, is_known
from switch.calls.high_cost import HighCost
from switch.conf_files import ConfFile, open_conf_file
from switch.conf_reader import note_unknown_tables, read_struct
from switch.conf_values import Expected, Reads, list_reader

SAFETY_FILE: Final = "safety.toml"

# Satellite and global networks, international premium rate (ITU-T E.169.2), premium rate of the UK and of North
# America, and the two countries that lists of revenue share fraud name first and few UK customers call.
DEFAULT_HIGH_COST: Final = ("premium", "satellite", "+979", "+1900", "country:CU", "country:SO")


class FraudRule(enum.Enum):
    """What can be seen of an account that somebody else uses."""

    NEW_HIGH_COST = "new_high_cost"
    SHORT_CALLS = "short_calls"
    COUNTRIES_AT_ONCE = "countries_at_once"


def read_destination(value: object) -> str:
    """A class, "country:CU", or the beginning of numbers."""
    if isinstance(value, str) and is_known(value):
        return COUNTRY + value[len(COUNTRY) :].upper() if value.startswith(COUNTRY) else value
    raise Expected(
        'a class like "premium", a country like "country:CU", or the beginning of numbers like "+881"'
    )


def read_own_number(value: object) -> str:
    """E.164 with the plus, or a short code."""
    if isinstance(value, str) and value.removeprefix("+").isdigit() and is_known(value):
        return value
    raise Expected('a number like "+443069990123", or a short code like "150"')


def read_rule(value: object) -> FraudRule:
    try:
        return FraudRule(value)
    except ValueError:
        raise Expected("one of " + ", ".join(f'"{rule.value}"' for rule in FraudRule)) from None


def read_pounds(value: object) -> int:
    """Micros from pounds in quotes."""
    try:
        micros = parse_pounds(value) if isinstance(value, str) else -1
    except MoneyProblem:
        micros = -1
    if micros < 0:
        raise Expected('an amount in pounds in quotes, like "0.50"')
    return micros


class HighCostSettings(Struct, frozen=True):
    """[high_cost]."""

    destinations: Annotated[tuple[str, ...], Reads(list_reader(read_destination))] = DEFAULT_HIGH_COST
    calls_per_account_max: Annotated[int, Meta(ge=0, le=100_000)] = 3


class RestrictedSettings(Struct, frozen=True):
    """[restricted]. The provider's own numbers, which an account that is restricted for debt can always call."""

    open_numbers: Annotated[tuple[str, ...], Reads(list_reader(read_own_number))] = ()


class FraudSettings(Struct, frozen=True):
    """[fraud]. A threshold of 0 switches its rule off."""

    dear_per_minute: Annotated[int, Reads(read_pounds)] = 500_000
    new_high_cost_per_minute: Annotated[int, Meta(ge=0, le=1000)] = 5
    short_call_s: Annotated[int, Meta(ge=1, le=60)] = 10
    short_calls: Annotated[int, Meta(ge=0, le=1000)] = 50
    short_calls_window_s: Annotated[int, Meta(ge=10, le=3600)] = 300
    countries_at_once: Annotated[int, Meta(ge=0, le=100)] = 2
    bar_on: Annotated[tuple[FraudRule, ...], Reads(list_reader(read_rule))] = (FraudRule.NEW_HIGH_COST,)
    bar_h: Annotated[int, Meta(ge=1, le=8760)] = 24
    alarm_again_s: Annotated[int, Meta(ge=60, le=86_400)] = 3600


class Safety(Struct, frozen=True):
    """The file as a whole."""

    high_cost: HighCost
    high_cost_calls_per_account_max: int
    fraud: FraudSettings
    open_to_restricted: frozenset[str] = frozenset()


DEFAULT_SAFETY: Final = Safety(
    HighCost(DEFAULT_HIGH_COST), HighCostSettings().calls_per_account_max, FraudSettings()
)


def open_safety_file(folder: Path) -> ConfFile:
    """Empty where there is none."""
    has_one = (folder / SAFETY_FILE).exists()
    return open_conf_file(folder, SAFETY_FILE) if has_one else ConfFile(SAFETY_FILE, "", {})


def read_safety(file: ConfFile) -> Safety:
    """Problems are noted in the file."""
    note_unknown_tables(file, ("high_cost", "fraud", "restricted"))
    high_cost = read_struct(file, HighCostSettings, file.table.get("high_cost", {}), ("high_cost",))
    fraud = read_struct(file, FraudSettings, file.table.get("fraud", {}), ("fraud",))
    restricted = read_struct(file, RestrictedSettings, file.table.get("restricted", {}), ("restricted",))
    return Safety(
        HighCost(high_cost.destinations),
        high_cost.calls_per_account_max,
        fraud,
        frozenset(restricted.open_numbers),
    )
