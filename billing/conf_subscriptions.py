"""The law of contracts and the compensation scheme in billing.toml: figures that a regulator can change, each dated.

    [subscriptions]                 [[contract_law]]                     [[automatic_compensation]]
    joins_compensation_scheme       from = 2025-01-17                    from = 2026-04-01
                                    consumer_term_months_max = 24        delayed_repair = "10.34"

Without the file, or without a [[contract_law]] in it, LAWS holds.
"""

import datetime
from typing import Annotated, Final

from msgspec import Meta, Struct

from billing.conf_fields import Pounds
from billing.dated import Dated, read_dated
from switch.conf_files import ConfFile
from switch.conf_reader import read_struct
from switch.conf_values import Switch

TABLES: Final = ("subscriptions", "contract_law", "automatic_compensation")


class ContractLaw(Struct, frozen=True, kw_only=True):
    """[[contract_law]]: for contracts made, and notices due, from a day on. docs/subscriptions.md has the sources.

    `has_stated_rises_only`: in a consumer's minimum term a price rises only by what was stated in pounds and pence,
    with its date, when it was sold (Ofcom, 17 January 2025).
    """

    consumer_term_months_max: Annotated[int, Meta(ge=1, le=36)] = 24
    notice_days_max: Annotated[int, Meta(ge=1, le=90)] = 31
    cooling_off_days: Annotated[int, Meta(ge=1, le=60)] = 14
    end_notice_earliest_days: Annotated[int, Meta(ge=1, le=90)] = 40
    end_notice_latest_days: Annotated[int, Meta(ge=0, le=89)] = 10
    best_tariff_months: Annotated[int, Meta(ge=1, le=24)] = 12
    change_notice_months: Annotated[int, Meta(ge=1, le=12)] = 1
    has_stated_rises_only: Switch = True


# From the Consumer Contracts Regulations on (13 June 2014), which is before any contract that is sold here.
LAWS: Final = (
    (datetime.date(2014, 6, 13), ContractLaw(has_stated_rises_only=False)),
    (datetime.date(2025, 1, 17), ContractLaw()),
)


class Compensation(Struct, frozen=True, kw_only=True):
    """[[automatic_compensation]]: the sums of the voluntary scheme, in micros: a calendar day, an appointment, a
    day."""

    delayed_repair: Pounds = 0
    missed_appointment: Pounds = 0
    delayed_start: Pounds = 0


class _Section(Struct, frozen=True):
    """[subscriptions]."""

    joins_compensation_scheme: Switch = False


class SubscriptionsConf(Struct, frozen=True):
    """`compensation` holds where the provider has joined the scheme."""

    law: Dated[ContractLaw]
    joins_compensation_scheme: bool
    compensation: Dated[Compensation]


PLAIN: Final = SubscriptionsConf(Dated("contract_law", LAWS), False, Dated("automatic_compensation", ()))


def read_subscriptions(file: ConfFile) -> SubscriptionsConf:
    """Problems are noted in the file."""
    section = read_struct(file, _Section, file.table.get("subscriptions", {}), ("subscriptions",))
    law = read_dated(file, ContractLaw, ("contract_law",))
    for day, figures in law.entries:
        if figures.end_notice_latest_days > figures.end_notice_earliest_days:
            found = f"{figures.end_notice_latest_days} from {day.isoformat()} on"
            file.note(
                ("contract_law", "end_notice_latest_days"), found=found, expected="not before the earliest"
            )
    compensation = read_dated(file, Compensation, ("automatic_compensation",))
    if section.joins_compensation_scheme and not compensation.entries:
        file.note(
            ("subscriptions", "joins_compensation_scheme"),
            found="no [[automatic_compensation]]",
            expected="the sums of the scheme, one table for each day on which they changed",
        )
    return SubscriptionsConf(
        law=law if law.entries else PLAIN.law,
        joins_compensation_scheme=section.joins_compensation_scheme,
        compensation=compensation,
    )
