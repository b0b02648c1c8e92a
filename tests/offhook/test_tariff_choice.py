"""Which tariff a new account gets, as a table: a row a case, the answer last."""

import pytest

from offhook.exit_codes import CommandError
from offhook.tariff_choice import choose_tariff
from provisioning.model import AccountKind
from rating.money import VatMode

# tariffs                          kind      vat   named   -> tariff  vat
CASES = """
retail:inc                         prepaid   -     -       -> retail  inc
retail:inc                         postpaid  -     -       -> retail  inc
retail:inc                         prepaid   ex    -       -> REFUSED
retail:inc                         prepaid   ex    retail  -> REFUSED
retail:inc                         prepaid   inc   retail  -> retail  inc
retail:inc,trade:ex                prepaid   -     -       -> retail  inc
retail:inc,trade:ex                postpaid  -     -       -> trade   ex
retail:inc,trade:ex                prepaid   ex    -       -> trade   ex
retail:inc,trade:ex                prepaid   -     trade   -> trade   ex
retail:inc,home:inc                prepaid   -     -       -> REFUSED
retail:inc,home:inc                prepaid   -     home    -> home    inc
retail:inc                         prepaid   -     other   -> REFUSED
-                                  prepaid   -     -       -> REFUSED
"""
VAT = {"inc": VatMode.INC_VAT, "ex": VatMode.EX_VAT, "-": None}


@pytest.mark.parametrize("case", CASES.strip().split("\n"))
def test_choice(case: str) -> None:
    given, _, answer = case.partition("->")
    tariffs, kind, vat, named = given.split()
    known = {
        name: found
        for name, _, mode in (item.partition(":") for item in tariffs.split(",") if item != "-")
        if (found := VAT[mode]) is not None
    }
    named_or_none = None if named == "-" else named

    def choose() -> str:
        choice = choose_tariff(known, kind=AccountKind(kind), vat=VAT[vat], named=named_or_none)
        return f"{choice.tariff} {choice.vat.value.removesuffix('_vat')}"

    if answer.strip() == "REFUSED":
        with pytest.raises(CommandError, match="tariff"):
            choose()
    else:
        assert choose() == " ".join(answer.split())
