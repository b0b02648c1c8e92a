"""A tariff as its customers read it: the prices that hold on a day, as a table, CSV, JSON or a page.

Names of destinations are an operator's, maybe a carrier's: in CSV none is a formula, on the page none is markup.
"""

from collections.abc import Sequence
from html import escape

import msgspec

from provisioning.csv_output import Amount, csv_text
from rating.money import Micros, VatMode, format_pounds
from rating.rate import ACCESS, ATTEMPT, GROUP, INCOMING, ON_NET, TEXT, Rate
from rating.special_terms import SpecialTerms
from rating.tariff import Tariff, number_prefix
from rating.tariff_rows import dates_text

HEADS = ("kind", "prefix", "destination", "connect_fee", "per_minute", "initial_s", "next_s", "dates", "more")


class PriceRow(msgspec.Struct, frozen=True):
    """One row. `kind` says what it prices; `more` what a price and two intervals cannot say."""

    kind: str
    prefix: str
    destination: str
    connect_fee_micros: Micros
    per_minute_micros: Micros
    initial_s: int
    next_s: int
    dates: str
    more: str


def price_rows(tariff: Tariff, at_ms: int) -> list[PriceRow]:
    """Those that hold at that instant, in the tariff's order."""
    return [price_row(rate) for rate in tariff.rates if rate.is_valid_at(at_ms)]


def price_row(rate: Rate) -> PriceRow:
    return PriceRow(
        _kind(rate.prefix),
        _shown_prefix(rate),
        rate.destination,
        rate.connect_fee_micros,
        rate.per_minute_micros,
        rate.initial_s,
        rate.next_s,
        dates_text(rate),
        "" if rate.special is None else special_text(rate.special),
    )


def _kind(prefix: str) -> str:
    if prefix.startswith(TEXT):
        return "text"
    if prefix.startswith(ATTEMPT):
        return "each attempt"
    if prefix.startswith(INCOMING):
        origin = prefix.removeprefix(INCOMING).rpartition(":")[0]
        return f"call to you from {origin}" if origin else "call to you"
    return "access charge" if prefix.startswith(ACCESS) else "call"


def _shown_prefix(rate: Rate) -> str:
    if rate.prefix.startswith(GROUP) or rate.prefix == TEXT + ON_NET:
        return rate.prefix.rpartition(":")[2]
    return "084, 087, 09, 118" if rate.prefix == ACCESS else number_prefix(rate)


def special_text(special: SpecialTerms) -> str:
    """Bands, included seconds, minimum and cap in one line."""
    words = []
    banded = special.banded
    if banded is not None:
        for place, name in enumerate(banded.bands.names, start=1):
            fee = banded.connect_fee[place]
            connect = f" and {format_pounds(fee)} to connect" if fee else ""
            words.append(f"{name}: {format_pounds(banded.per_minute[place])} a minute{connect}")
    if special.service is not None:
        service = special.service
        access = format_pounds(service.access_per_minute)
        words.append(f"access charge {access} a minute, service charge {service.code}")
    if special.included_s:
        words.append(f"the first {special.included_s} s included")
    if special.minimum:
        words.append(f"at least {format_pounds(special.minimum)}")
    if special.cap is not None:
        after = ", where the call ends" if special.ends_at_cap else ""
        words.append(f"at most {format_pounds(special.cap)}{after}")
    return "; ".join(words)


def price_list_csv(rows: Sequence[PriceRow]) -> str:
    """Amounts in pounds with six decimals. Each text is a text to a spreadsheet, a prefix with its plus, too."""
    return csv_text(
        HEADS,
        (
            (
                row.kind,
                row.prefix,
                row.destination,
                Amount(row.connect_fee_micros),
                Amount(row.per_minute_micros),
                row.initial_s,
                row.next_s,
                row.dates,
                row.more,
            )
            for row in rows
        ),
    )


def price_list_json(tariff: Tariff, rows: Sequence[PriceRow], day: str) -> dict[str, object]:
    return {
        "tariff": tariff.name,
        "version": tariff.version,
        "vat": tariff.vat.value,
        "on": day,
        "currency": "GBP",
        "prices": rows,
    }


def price_list_page(tariff: Tariff, rows: Sequence[PriceRow], day: str) -> str:
    """A page that stands alone, without scripts or anything from elsewhere."""
    vat = "with VAT" if tariff.vat is VatMode.INC_VAT else "without VAT"
    title = escape(f"Prices {tariff.name}, {day}")
    heads = ("", "Prefix", "Destination", "Connection", "Per minute", "Charged in", "Valid", "")
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _page_cells(row)) + "</tr>" for row in rows
    )
    return f"""<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font-family: sans-serif; margin: 2em; }}
table {{ border-collapse: collapse; }}
th, td {{ text-align: left; padding: 0.2em 0.8em; border-bottom: 1px solid #ccc; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>Prices in pounds, {vat}. Version {escape(tariff.version)}. Calls to 999 and 112 are free.</p>
<table>
<thead><tr>{"".join(f'<th scope="col">{head}</th>' for head in heads)}</tr></thead>
<tbody>
{body}
</tbody>
</table>
</body>
</html>"""


def _page_cells(row: PriceRow) -> tuple[str, ...]:
    return (
        row.kind,
        row.prefix,
        row.destination,
        format_pounds(row.connect_fee_micros),
        format_pounds(row.per_minute_micros),
        f"{row.initial_s} s, then {row.next_s} s",
        row.dates,
        row.more,
    )
