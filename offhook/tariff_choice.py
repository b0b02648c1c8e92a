"""Which tariff a new account gets, and with or without VAT. Pure.

An account's VAT mode must match its tariff's (nothing ever converts), so either may follow from the other.
Prepaid consumers pay prices with VAT and postpaid businesses without, unless something else was said.
"""

from collections.abc import Mapping

import msgspec

from offhook.exit_codes import CommandError, ExitCode
from provisioning.model import AccountKind
from provisioning.printable import shorten
from rating.money import VatMode

USUAL_VAT = {AccountKind.PREPAID: VatMode.INC_VAT, AccountKind.POSTPAID: VatMode.EX_VAT}
VAT_WORDS = {VatMode.INC_VAT: "including VAT", VatMode.EX_VAT: "excluding VAT"}


class TariffChoice(msgspec.Struct, frozen=True):
    tariff: str
    vat: VatMode


def choose_tariff(
    tariffs: Mapping[str, VatMode], *, kind: AccountKind, vat: VatMode | None, named: str | None
) -> TariffChoice:
    """Raises CommandError when the choice is not clear, naming what there is."""
    if named is not None:
        if named not in tariffs:
            raise CommandError(f"there is no tariff {shorten(named)!r}: {_listed(tariffs)}", ExitCode.INVALID)
        found = tariffs[named]
        if vat is not None and vat is not found:
            raise CommandError(
                f"tariff {named!r} has prices {VAT_WORDS[found]}, and the account is to be {VAT_WORDS[vat]}: "
                "they must match",
                ExitCode.INVALID,
            )
        return TariffChoice(tariff=named, vat=found)
    if vat is None and len(tariffs) == 1:
        (only,) = tariffs
        return TariffChoice(tariff=only, vat=tariffs[only])
    wanted = vat if vat is not None else USUAL_VAT[kind]
    fitting = [name for name, found in tariffs.items() if found is wanted]
    if len(fitting) != 1:
        how_many = "no tariff" if not fitting else "more than one tariff"
        raise CommandError(
            f"there is {how_many} {VAT_WORDS[wanted]}; name one with --tariff: {_listed(tariffs)}",
            ExitCode.INVALID,
        )
    return TariffChoice(tariff=fitting[0], vat=wanted)


def _listed(tariffs: Mapping[str, VatMode]) -> str:
    return ", ".join(f"{name} ({VAT_WORDS[vat]})" for name, vat in tariffs.items()) or "there are none"
