"""Price lists with every form of price in them, drawn at random, and calls around the times that matter."""

from datetime import date
from random import Random

from rating.price_book import PriceBook, read_price_book
from rating.tariff import Tariff, load_tariff
from rating.time_bands import BandPattern, make_time_bands
from tests.rating.rerate.slow_rater import Band, Calendar, SlowRater, midnight_ms

BANDS = [
    Band("peak", [(day, 7 * 60, 19 * 60) for day in range(5)]),
    # Into the night of the clock changes, which are on Sundays between 01:00 and 02:00.
    Band("weekend", [(5, 0, 1440), (6, 0, 90), (6, 120, 1440)]),
    Band("night", [(day, 0, 330) for day in range(7)]),
    Band("evening", []),
]
HOLIDAYS = {date(2026, 12, 25), date(2026, 12, 28), date(2027, 1, 1), date(2027, 3, 26), date(2027, 3, 29)}
CALENDAR = Calendar(BANDS, HOLIDAYS, 6)

# Instants around which calls begin: both clock changes of two years, a bank holiday's midnights, new prices.
MOMENTS = [
    midnight_ms(day)
    for day in (
        "2026-03-29",
        "2026-10-25",
        "2027-03-28",
        "2027-10-31",
        "2026-12-25",
        "2026-12-26",
        "2027-01-01",
    )
]

DESTINATIONS = {
    "+441": "landline", "+442": "landline", "+443": "landline", "+447": "mobile", "+4470": "personal",
    "+4476": "pager", "+447624": "manx", "+441534": "jersey", "+33": "france", "+336": "france_mobile",
    "+4484": "service",
}  # fmt: skip
NUMBERS = [
    *("+441632960123", "+442079460123", "+443069990123", "+447700900123", "+447012345678", "+447612345678"),
    *("+447624123456", "+441534123456", "+33123456789", "+33612345678", "+33712345678", "+61212345678"),
    *(
        "+448431230001",
        "+448451230001",
        "+448711230001",
        "+449098790123",
        "+449101230001",
        "118500",
        "118118",
    ),
]
CODES = """sc_code,ppm_inc,ppc_inc,ppc_covers_s,eff_from,vat_percent
EX001,7,,,2015-07-01,
EX001,5.5,,,2027-01-01,
EX002,5.8333,,,2015-07-01,17.5
EX003,350,250,,2015-07-01,
EX004,13,13,60,2015-07-01,
EX005,,600,,2015-07-01,
EX006,243.3333,365,90,2015-07-01,20
EX007,,,,2015-07-01,
"""
SERVICE_NUMBERS = """prefix,sc_code,eff_from
+44843,EX001,2015-07-01
+44845,EX002,2015-07-01
+448451,EX007,2026-10-25
+4487,EX004,2015-07-01
+4490,EX003,2015-07-01
+4491,EX005,2015-07-01
118,EX006,2015-07-01
118118,EX003,2027-01-01
"""
COLUMNS = [
    *(
        "prefix",
        "destination",
        "connect_fee",
        "per_minute",
        "initial_s",
        "next_s",
        "valid_from",
        "valid_until",
    ),
    *("included_s", "minimum_charge", "call_cap", "at_cap"),
    *(f"{column}_{band.name}" for band in BANDS for column in ("per_minute", "connect_fee")),
]


def random_price(random: Random) -> str:
    return random.choice(
        [
            "0",
            "0.012",
            "0.0133",
            f"0.{random.randrange(10**6):06d}",
            f"{random.randrange(300)}.{random.randrange(100):02d}",
        ]
    )


def random_row(random: Random, prefix: str) -> dict[str, str]:
    row = dict.fromkeys(COLUMNS, "")
    row |= {"prefix": prefix, "destination": prefix, "valid_from": "2020-01-01"}
    row |= {
        "connect_fee": random.choice(["0", "0.10", random_price(random)]),
        "per_minute": random_price(random),
    }
    row |= {"initial_s": random.choice(["1", "1", "1", "60", "90"])}
    row["next_s"] = random.choice(["1", "1", "6", "20", "60"])
    if prefix.startswith("access"):
        return row | {"connect_fee": "0"}
    for band in random.sample(BANDS, random.randrange(len(BANDS) + 1)):
        row[f"per_minute_{band.name}"] = random_price(random)
        if random.random() < 0.3:
            row[f"connect_fee_{band.name}"] = random.choice(["0", "0.25"])
    if random.random() < 0.3:
        row["included_s"] = random.choice(["30", "60", "3600"])
    if random.random() < 0.3:
        row["minimum_charge"] = random_price(random)
    if random.random() < 0.3:
        row["call_cap"] = f"{random.choice([300, 1000, 5000])}.5"
        row["at_cap"] = random.choice(["", "free"])
    return row


def random_texts(random: Random) -> dict[str, str]:
    """The files of one price list."""
    prefixes = ["group:landline", "group:mobile", "access", "+33", "+61", "+447", "+4", "group:france_mobile"]
    prefixes = random.sample(prefixes, random.randrange(3, len(prefixes) + 1))
    prefixes += random.sample(
        ["access:+449", "access:118", "+44843", "+4476", "group:manx"], random.randrange(4)
    )
    lines = [",".join(COLUMNS)]
    for prefix in prefixes:
        row = random_row(random, prefix)
        if random.random() < 0.3:  # a new price list in the night of a clock change, or at New Year
            until, begins = random.choice([("2026-10-24", "2026-10-25"), ("2026-12-31", "2027-01-01")])
            lines.append(",".join((row | {"valid_until": until}).values()))
            row = random_row(random, prefix) | {"valid_from": begins}
        lines.append(",".join(row.values()))
    return {
        "tariff": "\n".join([*lines, ""]),
        "destinations.csv": "\n".join(["prefix,group", *(f"{a},{b}" for a, b in DESTINATIONS.items()), ""]),
        "service-charges.csv": CODES,
        "service-numbers.csv": SERVICE_NUMBERS,
    }


def price_book(texts: dict[str, str]) -> PriceBook:
    week = tuple(
        tuple(
            (start, end, number)
            for number, band in enumerate(BANDS, start=1)
            for weekday, start, end in band.hours or [(day, 0, 1440)]
            if weekday == day
        )
        for day in range(7)
    )
    pattern = BandPattern(week, frozenset(day.toordinal() for day in HOLIDAYS), 6)
    shared = {name: text for name, text in texts.items() if name != "tariff"}
    book, problems = read_price_book(shared, make_time_bands([band.name for band in BANDS], pattern))
    assert problems == []
    return book


def both_raters(random: Random, *, book: PriceBook | None = None) -> tuple[Tariff, SlowRater]:
    texts = random_texts(random)
    vat = random.choice(["inc_vat", "ex_vat"])
    tariff = load_tariff("random", texts["tariff"], vat, book or price_book(texts))
    return tariff, SlowRater(texts, CALENDAR, has_vat=vat == "inc_vat")


def random_call(random: Random) -> tuple[str, int, int]:
    """(number, start, milliseconds): most are short, some go on for hours."""
    at_ms = random.choice(MOMENTS) + random.randrange(-30 * 3_600_000, 30 * 3_600_000)
    at_ms -= random.choice([0, at_ms % 1000, at_ms % 60_000])
    longest_ms = random.choice([2_000, 120_000, 600_000, 3_600_000, 6 * 3_600_000])
    return random.choice(NUMBERS), at_ms, random.randrange(longest_ms)
