"""Arrears in billing.toml: the ladder of each kind of customer, interest, and Bank Rate. All of it dated.

    [arrears]                [[arrears.consumer]]     [[late_payment]]       [[bank_rate]]
    region = "england"       from = 2026-01-01        from = 2002-08-07      from = 2025-12-18
                             reminder = 3             over_base = 8          percent = 3.75

Without [arrears.KIND] nothing happens to customers of that kind. The ladder of a debt is the one that held on the day
on which it was due.
"""

import enum
from typing import Annotated, Final

from msgspec import Meta, Struct

from billing.conf_fields import Percent, Pounds, Text, read_percent
from billing.customers import CustomerKind
from billing.dated import Dated, read_dated
from switch.conf_files import ConfFile
from switch.conf_reader import as_table, note_unknown_key, read_struct
from switch.conf_values import Expected, Reads, Switch

TABLES: Final = ("arrears", "late_payment", "bank_rate")

# A year: nobody means more, and an invoice that old is for a court.
Days = Annotated[int, Meta(ge=0, le=366)]


class Region(enum.Enum):
    """Whose bank holidays are days off."""

    ENGLAND = "england"
    SCOTLAND = "scotland"
    NORTHERN_IRELAND = "northern_ireland"


STATUTORY: Final = -1
RUNG_NAMES: Final = ("reminder", "warning", "premium_and_international", "outgoing", "suspended", "ceased")


def read_interest(value: object) -> int:
    """Basis points a year that the contract says; STATUTORY, or 0 for none."""
    if value == "none":
        return 0
    if value == "statutory":
        return STATUTORY
    try:
        return read_percent(value)
    except Expected:
        raise Expected('"none", "statutory", or a percentage a year like 4 or 4.5') from None


class Ladder(Struct, frozen=True, kw_only=True):
    """[[arrears.consumer]] and its like: days after an invoice was due; 0 is never.

    `notice`: days between the warning of a restriction, sent, and the restriction. `minimum`: less than that is never
    restricted for. `interest_after`: an invoice paid within so many days after it was due bears none.
    """

    reminder: Days = 3
    warning: Days = 10
    premium_and_international: Days = 24
    outgoing: Days = 38
    suspended: Days = 66
    ceased: Days = 0
    notice: Annotated[int, Meta(ge=1, le=60)] = 10
    minimum: Pounds = 20_000_000
    interest: Annotated[int, Reads(read_interest)] = 0
    interest_after: Days = 14

    @property
    def restricts(self) -> bool:
        """Whether it ever comes to more than letters."""
        return any((self.premium_and_international, self.outgoing, self.suspended, self.ceased))


class LatePayment(Struct, frozen=True, kw_only=True):
    """[[late_payment]]: the Late Payment of Commercial Debts (Interest) Act 1998. Sums by the size of the debt."""

    over_base: Percent = 800
    small_sum: Pounds = 40_000_000
    middle_sum: Pounds = 70_000_000
    large_sum: Pounds = 100_000_000
    middle_from: Pounds = 1_000_000_000
    large_from: Pounds = 10_000_000_000


class BankRate(Struct, frozen=True):
    """[[bank_rate]]: the Bank of England's, in basis points, from the day on which it was set."""

    percent: Percent = 0


class ArrearsSettings(Struct, frozen=True, kw_only=True):
    """[arrears]. `help` is what somebody reads who cannot pay; `instalment_grace` are days."""

    region: Region = Region.ENGLAND
    not_before_days_off: Switch = True
    instalment_grace: Annotated[int, Meta(ge=0, le=30)] = 3
    help: Text = ""


class ArrearsConf(Struct, frozen=True):
    """All of it."""

    settings: ArrearsSettings
    ladders: dict[CustomerKind, Dated[Ladder]]
    late_payment: Dated[LatePayment]
    bank_rate: Dated[BankRate]


NO_ARREARS: Final = ArrearsConf(ArrearsSettings(), {}, Dated("late_payment", ()), Dated("bank_rate", ()))


def read_arrears(file: ConfFile) -> ArrearsConf:
    """Problems are noted in the file."""
    table = as_table(file, file.table.get("arrears", {}), ("arrears",))
    kinds = [kind for kind in CustomerKind if kind.value in table]
    keys = [*CustomerKind, *ArrearsSettings.__struct_fields__]
    for key in table:
        if key not in keys:
            note_unknown_key(file, ("arrears", key), keys)
    rest = {key: table[key] for key in ArrearsSettings.__struct_fields__ if key in table}
    conf = ArrearsConf(
        settings=read_struct(file, ArrearsSettings, rest, ("arrears",)),
        ladders={kind: read_dated(file, Ladder, ("arrears", kind.value)) for kind in kinds},
        late_payment=read_dated(file, LatePayment, ("late_payment",)),
        bank_rate=read_dated(file, BankRate, ("bank_rate",)),
    )
    _check(file, conf)
    return conf


def _check(file: ConfFile, conf: ArrearsConf) -> None:
    """What would be unlawful, or could not be followed."""
    for kind, dated in conf.ladders.items():
        for _, ladder in dated.entries:
            path = ("arrears", kind.value)
            if kind is CustomerKind.CONSUMER and ladder.interest == STATUTORY:
                file.note(
                    path,
                    found='interest = "statutory"',
                    expected='"none", or what the contract says: a percentage',
                )
            if ladder.interest == STATUTORY and not (conf.late_payment.entries and conf.bank_rate.entries):
                file.note(
                    path,
                    found='interest = "statutory"',
                    expected="a [[late_payment]] and a [[bank_rate]] with it",
                )
            days = [getattr(ladder, name) for name in RUNG_NAMES if getattr(ladder, name)]
            if days != sorted(set(days)):
                shown = ", ".join(map(str, days))
                file.note(path, found=f"days {shown}", expected="each rung some days after the one before it")
            if ladder.restricts and not (ladder.reminder or ladder.warning):
                file.note(path, found="a restriction first", expected="a reminder or a warning before it")
