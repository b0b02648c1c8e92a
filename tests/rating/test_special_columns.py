"""The columns of a tariff that go beyond a plain price: what they mean, and every mistake in them named."""

import pytest

from rating.money import VatMode
from rating.price_book import PriceBook, read_price_book
from rating.rate import Rate
from rating.tariff import Tariff, TariffProblems, load_tariff, tariff_version, whole_tariff_text
from rating.tariff_csv import read_rates
from rating.time_bands import BandPattern, make_time_bands

AT_MS = 1_790_000_000_000
PENNY = 10_000
HEADER = "prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until"
BANDS = make_time_bands(
    ("peak", "weekend"), BandPattern((*((((420, 1140, 1),),) * 5), *((((0, 1440, 2),),) * 2)))
)
FILES = {
    "destinations.csv": "prefix,group\n+441,landline\n+443,landline\n+447,mobile\n+447624,manx\n",
    "service-charges.csv": "sc_code,ppm_inc,ppc_inc,ppc_covers_s,eff_from\nEX001,7,,,2015-07-01\n",
    "service-numbers.csv": (
        "prefix,sc_code,eff_from,destination\n"
        "+44843,EX001,2015-07-01,Service 0843\n"
        "118,EX001,2015-07-01,\n"
    ),
}


def book(files: dict[str, str] = FILES) -> PriceBook:
    made, problems = read_price_book(files, BANDS)
    assert problems == []
    return made


def load(rows: str, *, header: str = HEADER, shared: PriceBook | None = None, vat: str = "inc_vat") -> Tariff:
    return load_tariff("retail", f"{header}\n{rows}\n", vat, shared or book())


def problems(rows: str, *, header: str = HEADER, shared: PriceBook | None = None) -> list[str]:
    with pytest.raises(TariffProblems) as caught:
        load(rows, header=header, shared=shared)
    return [str(problem) for problem in caught.value.problems]


def one(rows: str, columns: str) -> Rate:
    (rate,) = load(rows, header=f"{HEADER},{columns}").rates
    return rate


PLAIN = "+33,France,0.10,0.05,1,1,2020-01-01,"


def test_blank_columns_leave_a_plain_price() -> None:
    columns = "included_s,minimum_charge,call_cap,at_cap,per_minute_peak,connect_fee_weekend"
    assert one(f"{PLAIN},,,,,,", columns).special is None
    assert one(f"{PLAIN},0,0,,,0.05,0.10", columns).special is None


def test_each_column_has_its_meaning() -> None:
    special = one(f"{PLAIN},60,0.20,5,end", "included_s,minimum_charge,call_cap,at_cap").special
    assert special is not None
    assert (special.included_s, special.minimum, special.cap) == (60, 20 * PENNY, 500 * PENNY)
    assert special.ends_at_cap
    free = one(f"{PLAIN},5,free", "call_cap,at_cap").special
    assert free is not None
    assert not free.ends_at_cap


def test_a_band_without_a_price_has_that_of_the_row() -> None:
    special = one(f"{PLAIN},0.20,,0", "per_minute_peak,per_minute_weekend,connect_fee_weekend").special
    assert special is not None
    assert special.banded is not None
    assert special.banded.per_minute == (5 * PENNY, 20 * PENNY, 5 * PENNY)
    assert special.banded.connect_fee == (10 * PENNY, 10 * PENNY, 0)


@pytest.mark.parametrize(
    ("row", "columns", "problem"),
    [
        (f"{PLAIN},x", "included_s", "line 2, included_s: found 'x', expected whole seconds from 0 to 3600"),
        (f"{PLAIN},3601", "included_s", "line 2, included_s: found '3601', expected whole seconds from 0 to 3600"),
        (f"{PLAIN},-1", "minimum_charge", "line 2, minimum_charge: found '-1', expected pounds from"),
        (f"{PLAIN},x", "per_minute_peak", "line 2, per_minute_peak: found 'x', expected pounds from"),
        (f"{PLAIN},5,stop", "call_cap,at_cap", "line 2, at_cap: found 'stop', expected free (the call goes on"),
        (f"{PLAIN},,end", "call_cap,at_cap", "line 2, at_cap: found 'end', expected blank where call_cap is"),
        (f"{PLAIN},0.05", "call_cap", "line 2, call_cap: found '0.05', expected at least £0.10"),
        (
            "+33,France,0.10,0.05,60,1,2020-01-01,,0.12,end",
            "call_cap,at_cap",
            "line 2, call_cap: found '0.12', expected at least £0.15",
        ),
        (
            "+33,France,0.10,0,1,1,2020-01-01,,60",
            "included_s",
            "line 2, included_s: found '60', expected blank where a minute costs nothing",
        ),
        (
            "sms:+447,Text,0.06,0,1,1,2020-01-01,,0.10",
            "minimum_charge",
            "line 2, prefix: found 'sms:+447', expected a number: the columns after valid_until are for calls",
        ),
        (PLAIN + ",1", "per_minute_evening", "line 1: found 'per_minute_evening', expected the columns prefix"),
        (PLAIN + ",1,1", "call_cap,call_cap", "line 1, call_cap: found 2 columns of this name"),
        (
            "group:jersey,Jersey,0,0.05,1,1,2020-01-01,,",
            "call_cap",
            "line 2, prefix: found 'group:jersey', expected a group of destinations.csv",
        ),
        ("group:Landline,x,0,0.05,1,1,2020-01-01,,", "call_cap", "line 2, prefix: found 'group:Landline', expected +"),
        (
            "access:+447,Access,0,0.05,1,1,2020-01-01,,",
            "call_cap",
            "line 2, prefix: found 'access:+447', expected access, or access: and a prefix of +4484",
        ),
        (
            "access,Access,0.10,0.05,1,1,2020-01-01,,",
            "call_cap",
            "line 2, connect_fee: found '0.10', expected blank or 0: an access charge is a price per minute",
        ),
        (
            "access,Access,0,0.05,1,1,2020-01-01,,1",
            "call_cap",
            "line 2, call_cap: found '1', expected blank or 0: an access charge is a price per minute",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_named(row: str, columns: str, problem: str) -> None:
    (found,) = problems(row, header=f"{HEADER},{columns}")
    assert found.startswith(problem)


def test_an_access_charge_needs_the_service_charges_that_it_is_added_to() -> None:
    (found,) = problems("access,Access,0,0.05,1,1,2020-01-01,", shared=PriceBook())
    assert found.endswith("expected service-charges.csv and service-numbers.csv, which it is added to")


def test_a_group_row_may_not_be_priced_twice_at_one_time() -> None:
    row = "group:mobile,Mobile,0,0.05,1,1,2020-01-01,"
    (found,) = problems(f"{row}\n{row}")
    assert found.startswith("line 3, valid_from: found prefix group:mobile priced twice at one time")


# What a call finds.

ROWS = """group:landline,UK landline,0,0.01,1,1,2020-01-01,
+443,UK wide,0,0.01,1,1,2020-01-01,
group:mobile,UK mobile,0,0.09,1,1,2020-01-01,
+4477009,Special mobile,0,0.02,1,1,2020-01-01,
access,Service,0,0.10,1,1,2020-01-01,
"""
WITH_ALL = ROWS + "+44,Other,0,0.5,1,1,2020-01-01,\n"


@pytest.mark.parametrize(
    ("rows", "number", "destination", "group"),
    [
        (ROWS, "+441632960123", "UK landline", "landline"),
        (ROWS, "+443069990123", "UK wide", "landline"),
        (ROWS, "+447700900123", "Special mobile", "mobile"),
        (ROWS, "+447800900123", "UK mobile", "mobile"),
        (ROWS, "+448431230123", "Service 0843", ""),
        (ROWS, "118500", "Service", ""),
        (WITH_ALL, "+447624123456", "Other", "manx"),
        (WITH_ALL, "+445601056056", "Other", ""),
        (WITH_ALL, "+441632960123", "UK landline", "landline"),
    ],
)
def test_the_longest_prefix_wins_and_the_rate_knows_the_group(
    rows: str, number: str, destination: str, group: str
) -> None:
    rate = load(rows).rate_for(number, AT_MS)
    assert rate is not None
    assert (rate.destination, rate.group) == (destination, group)


def test_a_number_of_a_group_without_a_price_is_not_priced_by_the_group_around_it() -> None:
    assert load(ROWS).rate_for("+447624123456", AT_MS) is None


def test_a_service_number_without_a_known_charge_is_refused() -> None:
    assert load(ROWS).rate_for("+448711230123", AT_MS) is None
    assert load(WITH_ALL).rate_for("+448711230123", AT_MS) is None


def test_a_row_of_ones_own_goes_before_the_access_charge() -> None:
    rate = load(ROWS + "+44843,All in,0,0.20,1,1,2020-01-01,").rate_for("+448431230123", AT_MS)
    assert rate is not None
    assert (rate.destination, rate.special) == ("All in", None)


def test_an_access_charge_of_a_range_goes_before_the_one_for_all() -> None:
    tariff = load(ROWS + "access:118,Service,0,0.50,1,1,2020-01-01,")
    directory, other = tariff.rate_for("118500", AT_MS), tariff.rate_for("+448431230123", AT_MS)
    assert directory is not None
    assert other is not None
    assert (directory.per_minute_micros, other.per_minute_micros) == (57 * PENNY, 17 * PENNY)
    assert [rate.prefix for rate in tariff.access_charges] == ["access", "access:118"]


def test_an_access_charge_changes_by_its_dates() -> None:
    rows = "access,Service,0,0.10,1,1,2020-01-01,2026-09-30\naccess,Service,0,0.20,60,1,2026-10-01,"
    tariff = load(rows)
    before, after = tariff.rate_for("118500", AT_MS), tariff.rate_for("118500", AT_MS + 30 * 86_400_000)
    assert before is not None
    assert after is not None
    assert (before.per_minute_micros, before.initial_s) == (17 * PENNY, 1)
    assert (after.per_minute_micros, after.initial_s) == (27 * PENNY, 60)


def test_without_a_price_of_any_group_every_rate_still_knows_the_group() -> None:
    tariff = load("+44,UK,0,0.01,1,1,2020-01-01,\nsms:+447,Text,0.06,0,1,1,2020-01-01,")
    for number, group in (("+447700900123", "mobile"), ("+447624123456", "manx"), ("+442079460123", "")):
        rate = tariff.rate_for(number, AT_MS)
        assert rate is not None
        assert (rate.group, rate.prefix) == (group, "+44")
    text = tariff.text_rate_for("+447700900123", AT_MS)
    assert text is not None
    assert text.group == "mobile"


# What is kept of a tariff.


def test_a_tariff_that_uses_nothing_shared_is_kept_as_it_stands() -> None:
    text = f"{HEADER}\n{PLAIN}\n"
    assert load_tariff("retail", text, "inc_vat", PriceBook(bands=BANDS)).version == tariff_version(text)


@pytest.mark.parametrize("end", ["", "\n"])
def test_the_kept_text_of_a_tariff_prices_as_the_tariff_did(end: str) -> None:
    header = f"{HEADER},per_minute_peak"
    lines = "\n".join(line + "0.3" if line.startswith("group") else line for line in ROWS.split("\n") if line)
    rows = "\n".join(
        line if line.endswith("0.3") else line + "," for line in lines.replace(",0.3", ",,0.3").split("\n")
    )
    files = {name: text.rstrip("\n") + end for name, text in FILES.items()}
    shared = book(files)
    csv_text = f"{header}\n{rows}{end}"
    tariff = load_tariff("retail", csv_text, "inc_vat", shared)
    kept = whole_tariff_text(csv_text, tariff.rates, shared)
    again = load_tariff("retail", kept, "inc_vat")
    assert again.version == tariff.version == tariff_version(kept)
    for number in (
        "+441632960123",
        "+443069990123",
        "+447700900123",
        "+447624123456",
        "+448431230123",
        "118500",
    ):
        first, second = tariff.rate_for(number, AT_MS), again.rate_for(number, AT_MS)
        assert (first is None) == (second is None)
        if first is not None and second is not None:
            assert (first.prefix, first.per_minute_micros, first.group) == (
                second.prefix,
                second.per_minute_micros,
                second.group,
            )
            assert first.depends_on_time == second.depends_on_time


def test_a_change_of_what_a_tariff_uses_is_another_version() -> None:
    versions = {
        load(ROWS).version,
        load(
            ROWS, shared=book({**FILES, "destinations.csv": "prefix,group\n+441,landline\n+447,mobile\n"})
        ).version,
    }
    versions.add(
        load(
            ROWS,
            shared=book({**FILES, "service-charges.csv": FILES["service-charges.csv"].replace("7,", "6,")}),
        ).version
    )
    assert len(versions) == 3


def test_a_file_cannot_pass_for_a_kept_tariff() -> None:
    (found,) = problems(f"{PLAIN}\n#=with= destinations.csv\nprefix,group\n")
    assert "expected no line that begins so" in found
    _, wrong = read_price_book({"destinations.csv": "prefix,group\n#=with= x\n+44,uk\n"}, None)
    assert [each.file for each in wrong] == ["destinations.csv"]
    with pytest.raises(TariffProblems):
        load_tariff("retail", f"{HEADER}\n{PLAIN}\n#=with= time-bands\nnonsense\n", "inc_vat")
    with pytest.raises(TariffProblems):
        load_tariff("retail", f"{HEADER}\n{PLAIN}\n#=with= destinations.csv\nnonsense\n", "inc_vat")


def test_rates_are_read_with_the_vat_of_their_tariff() -> None:
    (rate,) = read_rates("trade", f"{HEADER}\n{PLAIN}", VatMode.EX_VAT)
    assert rate.vat is VatMode.EX_VAT
