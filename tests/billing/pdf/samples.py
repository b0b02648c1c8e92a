"""Documents as a month would make them, for tests of paper."""

from billing.invoices.document import (
    Addressee,
    BundleUse,
    Call,
    Document,
    DocumentKind,
    Form,
    Group,
    Line,
    LineCalls,
    OpenBefore,
)
from billing.invoices.monthly import net_amounts
from billing.vat import Charge, VatRounding, reckon
from rating.money import VatMode
from tests.billing.books import SELLER

DESTINATIONS = (
    ("+442079460123", "UK landline", 200, 0, 0),
    ("+447700900123", "UK mobile", 1500, 0, 0),
    ("+448431570123", "Business rate 0843", 0, 1700, 1200),
)


def sample_calls(count: int) -> tuple[Call, ...]:
    calls = []
    for number in range(count):
        dialled, name, usage, access, service = DESTINATIONS[number % 3]
        seconds = 61 + 7 * number % 900
        calls.append(
            Call(
                at=f"2026-10-{1 + number * 30 // max(count, 1):02d}T{8 + number % 10:02d}:{number % 60:02d}:09",
                number=dialled,
                destination=name,
                seconds=seconds,
                charge_micros=seconds * (usage + access + service),
                access_micros=seconds * access,
                service_micros=seconds * service,
                bundled_s=0,
                is_text=False,
                is_late=number == 1,
            )
        )
    return tuple(calls)


def sample(
    *,
    name: str = "Sample Bakery Ltd",
    mode: VatMode = VatMode.EX_VAT,
    form: Form = Form.FULL,
    count: int = 12,
    description: str = "Line rental, October 2026",
) -> Document:
    """An invoice of a subscription, calls and interest."""
    calls = sample_calls(count)
    parts = [
        (description, "", 2000, 10_000_000),
        ("Calls", f"{count} calls", 2000, sum(call.charge_micros for call in calls)),
        ("Interest on INV000101", "", None, 1_230_000),
    ]
    charges = [Charge(micros, rate) for _, _, rate, micros in parts]
    found = reckon(charges, mode, VatRounding.HALF_UP)
    nets = net_amounts(charges, found.shown_micros, mode)
    lines = tuple(
        Line(text, rate, micros, shown, net, detail)
        for (text, detail, rate, micros), shown, net in zip(parts, found.shown_micros, nets, strict=True)
    )
    return Document(
        kind=DocumentKind.INVOICE,
        form=form,
        number="INV000123",
        issued_on="2026-11-02",
        tax_point="2026-11-02",
        due_on="2026-11-16",
        period_from="2026-10-01",
        period_to="2026-10-31",
        seller=SELLER,
        customer=Addressee(
            "Bakery", name, "The Manager", ("2 Sample Road", "Sampleford", "SA1 1PL"), "", "PO 4711"
        ),
        mode=mode,
        lines=lines,
        rates=found.rates,
        net_micros=found.net_micros,
        vat_micros=found.vat_micros,
        total_micros=found.total_micros,
        residue_micros=found.residue_micros,
        policy="half_up",
        groups=tuple(
            Group(
                wanted,
                False,
                len(mine := [call for call in calls if call.destination == wanted]),
                sum(call.seconds for call in mine),
                0,
                sum(call.access_micros for call in mine),
                sum(call.service_micros for call in mine),
                sum(call.charge_micros for call in mine),
            )
            for wanted in sorted({call.destination for call in calls})
        ),
        calls=(LineCalls("020 7946 0100", calls),) if calls else (),
        bundles=(BundleUse("UK 1000", 3720),),
        open_before=(OpenBefore("INV000101", "2026-10-16", 12_340_000),),
    )
