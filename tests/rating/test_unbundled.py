"""Service charges by code, number range and date; VAT out of them; the limits of the law."""

import datetime
from pathlib import Path

import pytest

from rating.charge import charge
from rating.destinations import read_destinations
from rating.money import VatMode
from rating.special_terms import Marker, SpecialTerms
from rating.unbundled import ServiceCharges, read_service_charges
from tests.rating.rates import PENNY, make_rate

CONF = Path(__file__).parents[2] / "conf"
CODES = "sc_code,ppm_inc,ppc_inc,ppc_covers_s,eff_from,vat_percent\n"
NUMBERS = "prefix,sc_code,eff_from,destination\n"
LIMITS = "prefix,ppm_max_inc,ppc_max_inc,first_s,first_max_inc,eff_from\n"


def ms(day: str) -> int:
    return int(datetime.datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp()) * 1000


def read(codes: str, numbers: str, limits: str = "") -> ServiceCharges:
    services, problems = read_service_charges(
        CODES + codes, NUMBERS + numbers, LIMITS + limits if limits else ""
    )
    assert problems == []
    return services


def problems(codes: str, numbers: str, limits: str = "") -> list[str]:
    services, found = read_service_charges(
        CODES + codes, NUMBERS + numbers, LIMITS + limits if limits else ""
    )
    assert services.find("118500", ms("2026-01-01")) is None
    return [f"{each.file.removeprefix('service-').removesuffix('.csv')}: {each.problem}" for each in found]


def access(per_minute: int = 10 * PENNY, vat: VatMode = VatMode.INC_VAT) -> object:
    rate = make_rate(prefix="access", per_minute=per_minute, vat=vat)
    return type(rate)(
        **{field: getattr(rate, field) for field in rate.__struct_fields__ if field != "special"},
        special=SpecialTerms(marker=Marker.ACCESS),
    )


def parts(
    services: ServiceCharges, number: str, day: str, seconds: int, **terms: object
) -> tuple[int, int] | None:
    rate = services.complete(access(**terms), number, ms(day))  # type: ignore[arg-type]
    if rate is None:
        return None
    found = charge(rate, seconds * 1000)
    assert found.connect_fee_micros == found.usage_micros == 0
    assert found.total_micros == found.access_charge_micros + found.service_charge_micros
    return found.access_charge_micros, found.service_charge_micros


DATED = read(
    "EX001,7,,,2015-07-01,\nEX001,5,,,2026-04-01,\nEX002,,50,,2015-07-01,\n",
    "+44843,EX001,2015-07-01,\n+448435,EX002,2026-01-01,Raffle\n",
)


@pytest.mark.parametrize(
    ("number", "day", "pence"),
    [
        ("+448431230001", "2026-03-31", 7),
        ("+448431230001", "2026-04-01", 5),
        ("+448435230001", "2025-12-31", 7),  # the longer prefix has no code yet
        ("+448435230001", "2026-01-01", 50),
        ("+448431230001", "2015-06-01", None),
        ("+448451230001", "2026-04-01", None),
    ],
)
def test_the_charge_is_that_of_the_range_and_the_day(number: str, day: str, pence: int | None) -> None:
    expected = None if pence is None else (10 * PENNY, pence * PENNY)
    assert parts(DATED, number, day, 60) == expected


def test_the_rate_says_whose_number_it_is_and_what_a_minute_costs_in_all() -> None:
    rate = DATED.complete(access(), "+448435230001", ms("2026-01-01"))  # type: ignore[arg-type]
    assert rate is not None
    assert (rate.prefix, rate.destination, rate.connect_fee_micros) == ("+448435", "Raffle", 50 * PENNY)
    plain = DATED.complete(access(), "+448431230001", ms("2026-04-01"))  # type: ignore[arg-type]
    assert plain is not None
    assert (plain.destination, plain.per_minute_micros) == ("United Kingdom", 15 * PENNY)
    assert not plain.is_free


def test_the_published_example_of_61_seconds() -> None:
    assert parts(DATED, "+448431230001", "2026-03-01", 61) == (101_666, 71_166)


@pytest.mark.parametrize(
    ("percent", "micros"), [("", 350_000), ("20", 350_000), ("17.5", 357_446), ("0", 420_000), ("5", 400_000)]
)
def test_a_tariff_without_vat_charges_what_is_left_without_it(percent: str, micros: int) -> None:
    services = read(f"EX001,7,,,2015-07-01,{percent}\n", "+44843,EX001,2015-07-01,\n")
    assert parts(services, "+448431230001", "2026-03-01", 360, vat=VatMode.EX_VAT) == (60 * PENNY, micros)


@pytest.mark.parametrize(
    ("codes", "numbers", "problem"),
    [
        ("EX 1,7,,,2015-07-01,\n", "", "charges: line 2, sc_code: found 'EX 1', expected a code of 1 to 16"),
        ("EX1,-7,,,2015-07-01,\n", "", "charges: line 2, ppm_inc: found '-7', expected pence from 0"),
        ("EX1,7,1.23456,,2015-07-01,\n", "", "charges: line 2, ppc_inc: found '1.23456', expected pence"),
        ("EX1,7,,x,2015-07-01,\n", "", "charges: line 2, ppc_covers_s: found 'x', expected whole seconds"),
        ("EX1,7,,,tomorrow,\n", "", "charges: line 2, eff_from: found 'tomorrow', expected a date"),
        ("EX1,7,,,2015-07-01,100\n", "", "charges: line 2, vat_percent: found '100', expected a percentage"),
        ("EX1,7,,,2015-07-01,\nEX1,8,,,2015-07-01,\n", "", "charges: line 3, eff_from: found '2015-07-01'"),
        ("EX1,7,,,2015-07-01,\n", "+447,EX1,2015-07-01,\n", "numbers: line 2, prefix: found '+447', expected a prefix"),
        ("EX1,7,,,2015-07-01,\n", "+4484,EX2,2015-07-01,\n", "numbers: line 2, sc_code: found 'EX2', expected a code"),
        (
            "EX1,7,,,2015-07-01,\n",
            "+4484,EX1,2015-07-01,\n+4484,EX1,2015-07-01,\n",
            "numbers: line 3, eff_from: found '2015-07-01', expected one code of +4484 from a day on; line 2 has",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_named(codes: str, numbers: str, problem: str) -> None:
    numbers = numbers or "118,EX1,2015-07-01,\n"
    assert problems(codes, numbers)[0].startswith(problem)


LAW = (CONF / "service-charge-limits.csv").read_text().split("first_max_inc,eff_from\n")[1]


@pytest.mark.parametrize(
    ("price", "prefix", "problem"),
    [
        ("7,,", "+44843", ""),
        ("7,7,60", "+44843", ""),
        ("7.0001,,", "+44843", "EX1: 7.0001p a minute from 2015-07-01 on, expected at most 7p, the"),
        ("1,8,", "+44845", "EX1: 8p a call from 2015-07-01 on, expected at most 7p"),
        ("13,,", "+44871", ""),
        ("14,,", "+44871", "EX1: 14p a minute from 2015-07-01 on, expected at most 13p"),
        ("360,600,", "+449098", ""),
        ("361,,", "+449098", "EX1: 361p a minute from 2015-07-01 on, expected at most 360p"),
        (",601,", "+449098", "EX1: 601p a call from 2015-07-01 on, expected at most 600p"),
        ("243.3333,365,90", "118500", ""),
        ("243.3333,,", "118500", ""),
        ("243.3334,,", "118500", "EX1: 365.0001p for the first 90 s from 2019-04-01 on, expected at most 365p"),
        ("449,898,60", "118500", "EX1: 1122.5p for the first 90 s from 2019-04-01 on, expected at most 365p"),
    ],
)  # fmt: skip
def test_no_number_is_charged_more_than_the_law_allows(price: str, prefix: str, problem: str) -> None:
    codes, numbers = f"EX1,{price},2015-07-01,\n", f"{prefix},EX1,2015-07-01,\n"
    if not problem:
        read(codes, numbers, LAW)
        return
    (found,) = problems(codes, numbers, LAW)
    assert found.startswith(f"numbers: line 2, sc_code: found {problem}")


def test_a_charge_above_a_limit_is_lawful_before_the_limit() -> None:
    codes = "EX1,449,898,60,2015-07-01,\nEX1,100,,,2019-04-01,\n"
    services = read(codes, "118500,EX1,2015-07-01,\n", LAW)
    assert parts(services, "118500", "2019-03-31", 60) == (10 * PENNY, 898 * PENNY)
    assert parts(services, "118500", "2019-04-01", 60) == (10 * PENNY, 100 * PENNY)
    moved = "EX1,449,898,60,2015-07-01,\nEX2,100,,,2015-07-01,\n"
    read(moved, "118500,EX1,2015-07-01,\n118500,EX2,2019-04-01,\n", LAW)
    (found,) = problems(moved, "118500,EX1,2015-07-01,\n118500,EX2,2019-04-02,\n", LAW)
    assert "from 2019-04-01 on" in found


def test_what_is_shipped_keeps_to_the_law_and_costs_what_is_shown() -> None:
    names = ("service-charges.csv", "service-numbers.csv", "service-charge-limits.csv")
    services, found = read_service_charges(*((CONF / name).read_text() for name in names))
    assert found == []
    first = parts(services, "118500", "2026-11-01", 90)
    assert first is not None
    assert first[1] == 365 * PENNY


@pytest.mark.parametrize(
    ("limit", "problem"),
    [
        (
            "118,,,90,,2019-04-01",
            "line 2, first_s: found '90', expected the seconds that first_max_inc is for",
        ),
        (
            "118,,,,365,2019-04-01",
            "line 2, first_s: found '', expected the seconds that first_max_inc is for",
        ),
        ("+44,7,,,,2019-04-01", "line 2, prefix: found '+44', expected a prefix of +4484"),
    ],
)
def test_a_mistake_in_a_limit_is_named(limit: str, problem: str) -> None:
    (found,) = problems("EX1,7,,,2015-07-01,\n", "118,EX1,2015-07-01,\n", limit + "\n")
    assert found.startswith(f"charge-limits: {problem}")


# Groups of destinations.


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("44,uk", "line 2, prefix: found '44', expected + and 1 to 15 digits"),
        ("999,uk", "line 2, prefix: found '999', expected + and 1 to 15 digits"),
        ("112,uk", "line 2, prefix: found '112', expected no price here: emergency calls are always free"),
        ("+44,U K", "line 2, group: found 'U K', expected a name of 1 to 40 small letters"),
        ("+44,uk\n+44,other", "line 3, prefix: found '+44', expected each prefix once; line 2 has it too"),
    ],
)
def test_a_mistake_in_the_groups_is_named(rows: str, problem: str) -> None:
    _, found = read_destinations(f"prefix,group\n{rows}\n")
    assert str(found[0]).startswith(problem)
