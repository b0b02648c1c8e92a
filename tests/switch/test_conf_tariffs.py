"""time-bands.toml and the CSV files that tariffs share: what is read, and every mistake with its file and place."""

import datetime
from pathlib import Path

import pytest

from rating.charge import charge
from rating.tariff import load_tariff
from switch.config import conf_fingerprint
from tests.switch.conf_folder import ConfFolder

BANDS = """
[holidays]
bank_holidays = "england"
dates = ["2026-06-16"]

[band.peak]
hours = ["Mon-Fri 07:00-19:00"]

[band.weekend]
hours = ["Sat", "Sun"]

[band.evening]
"""
HEADER = "prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until"
BANDED = f"{HEADER},per_minute_peak,per_minute_weekend,per_minute_evening\n+441,UK,0,1,1,1,2020-01-01,,0.06,0.01,0.03\n"
PENNY = 10_000


@pytest.fixture
def folder(tmp_path: Path) -> ConfFolder:
    return ConfFolder(tmp_path)


def ms(when: str) -> int:
    return int(datetime.datetime.fromisoformat(when).timestamp()) * 1000


@pytest.mark.parametrize(
    ("at", "pence"),
    [
        ("2026-06-15T12:00+01:00", 6),
        ("2026-06-15T06:59+01:00", 3),
        ("2026-06-15T19:00+01:00", 3),
        ("2026-06-20T12:00+01:00", 1),
        ("2026-05-25T12:00+01:00", 1),  # the spring bank holiday
        ("2026-12-28T12:00+00:00", 1),  # in the stead of Boxing Day, a Saturday
        ("2026-06-16T12:00+01:00", 1),  # a day of `dates`
        ("2026-11-30T12:00+00:00", 6),  # a bank holiday in Scotland only
    ],
)
def test_a_band_of_the_file_is_a_column_of_the_tariff(folder: ConfFolder, at: str, pence: int) -> None:
    folder.write("time-bands.toml", BANDS)
    folder.write("tariffs/retail.csv", BANDED)
    rate = folder.load().tariffs["retail"].rate_for("+441632960123", ms(at))
    assert rate is not None
    assert charge(rate, 60_000, at_ms=ms(at)).total_micros == pence * PENNY


def test_holidays_may_have_the_hours_of_another_day(folder: ConfFolder) -> None:
    folder.write("time-bands.toml", BANDS.replace('dates = ["2026-06-16"]', 'priced_as = "Mon"'))
    folder.write("tariffs/retail.csv", BANDED)
    at_ms = ms("2026-12-26T12:00+00:00")  # Boxing Day is a Saturday
    rate = folder.load().tariffs["retail"].rate_for("+441632960123", at_ms)
    assert rate is not None
    assert charge(rate, 60_000, at_ms=at_ms).total_micros == 6 * PENNY


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[band.peak]\nhours = 7", "time-bands.toml:2: band.peak.hours: found 7, expected"),
        ('[band.peak]\nhours = ["Mon-Fri 7-19"]', 'time-bands.toml:2: band.peak.hours: found "Mon-Fri 7-19"'),
        ("[band.Peak]", "time-bands.toml:1: band.Peak: found \"Peak\", expected a name of 1 to 40 small letters"),
        ("[bands.peak]", "time-bands.toml:1: bands: found an unknown key, expected perhaps band"),
        ('[holidays]\nbank_holidays = "kent"\n[band.a]', 'time-bands.toml:2: holidays.bank_holidays: found "kent"'),
        ('[holidays]\ndates = ["Dec 24"]\n[band.a]', 'time-bands.toml:2: holidays.dates: found "Dec 24", expected'),
        ('[holidays]\ndates = ["2026-12-24 12:00-24:00"]\n[band.a]', "time-bands.toml:2: holidays.dates: found"),
        ('[holidays]\npriced_as = "Bankday"\n[band.a]', 'time-bands.toml:2: holidays.priced_as: found "Bankday"'),
        ('[holidays]\npriced_as = "Sun"', "time-bands.toml: found no band, expected at least one [band.NAME]"),
        ("".join(f"[band.a{number}]\n" for number in range(9)), "time-bands.toml:1: band: found 9 bands"),
        ("[band.peak]\nhour = []", "time-bands.toml:2: band.peak.hour: found an unknown key, expected perhaps hours"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_bands_is_named(folder: ConfFolder, text: str, problem: str) -> None:
    folder.write("time-bands.toml", text)
    assert any(found.startswith(problem) for found in folder.problems()), folder.problems()


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("destinations.csv", "prefix,group\n44,uk\n", "destinations.csv:2: prefix: found '44', expected + and"),
        ("service-charges.csv", "sc_code\nx\n", "service-charges.csv:1: ppm_inc: found no such column"),
        ("service-numbers.csv", "prefix,sc_code,eff_from\n118,NO,2020-01-01\n", "service-numbers.csv:2: sc_code: "),
        ("service-charge-limits.csv", "x\n", "service-charge-limits.csv:1: prefix: found no such column"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_shared_file_is_named(folder: ConfFolder, name: str, text: str, problem: str) -> None:
    folder.write(name, text)
    assert any(found.startswith(problem) for found in folder.problems()), folder.problems()


def test_a_service_charge_above_the_law_is_not_taken_over(folder: ConfFolder) -> None:
    path = folder.path / "service-charges.csv"
    path.write_text(path.read_text().replace("MAX118,243.3333,365,90", "MAX118,599,1198,60"))
    (problem,) = folder.problems()
    assert problem.startswith("service-numbers.csv:")
    assert "MAX118: 1497.5p for the first 90 s from 2019-04-01 on, expected at most 365p" in problem


def test_access_charges_that_differ_by_range_are_warned_of_where_consumers_may_have_them(
    folder: ConfFolder,
) -> None:
    def warnings() -> list[str]:
        return [str(warning) for warning in folder.load().warnings if "access charges" in str(warning)]

    path = folder.path / "tariffs" / "retail.csv"
    path.write_text(path.read_text() + "access:+449,UK premium,0,0.13,60,60,2020-01-01,\n")
    assert warnings() == []
    path.write_text(path.read_text() + "access:118,Directory enquiries,0,0.50,60,60,2020-01-01,\n")
    assert len(warnings()) == 1
    main = folder.path / "offhook.toml"
    main.write_text(main.read_text().replace('vat = "inc_vat"', 'vat = "ex_vat"'))
    assert warnings() == []


def test_a_folder_of_an_older_release_loads_as_it_is(folder: ConfFolder) -> None:
    for name in (
        "destinations.csv",
        "time-bands.toml",
        "service-charges.csv",
        "service-numbers.csv",
        "service-charge-limits.csv",
    ):
        (folder.path / name).unlink()
    folder.write("tariffs/retail.csv", f"{HEADER}\n+44,UK,0,0.012,1,1,2020-01-01,\n")
    conf = folder.load()
    (version,) = [text for text in conf.versions if text.kind == "tariff"]
    assert version.content == (folder.path / "tariffs" / "retail.csv").read_text()


def test_the_version_that_is_kept_prices_as_the_exchange_did(folder: ConfFolder) -> None:
    folder.write("time-bands.toml", BANDS)
    path = folder.path / "tariffs" / "retail.csv"
    rows = [line for line in path.read_text().split("\n") if line and not line.startswith(("#", "prefix"))]
    folder.write(
        "tariffs/retail.csv",
        "\n".join(
            [
                HEADER + ",per_minute_peak",
                *(row + ",0.5" for row in rows if not row.startswith(("access", "sms"))),
                *(row + "," for row in rows if row.startswith(("access", "sms"))),
            ]
        ),
    )
    conf = folder.load()
    (version,) = [text for text in conf.versions if text.kind == "tariff"]
    tariff, again = conf.tariffs["retail"], load_tariff("retail", version.content, "inc_vat")
    assert again.version == tariff.version == version.version
    for number in (
        "+441632960123",
        "+447700900123",
        "+448431230123",
        "118500",
        "+449098790123",
        "+33123456789",
    ):
        for at in ("2026-06-15T12:00+01:00", "2026-12-25T12:00+00:00", "2026-06-20T12:00+01:00"):
            first, second = tariff.rate_for(number, ms(at)), again.rate_for(number, ms(at))
            assert first is not None
            assert second is not None
            assert charge(first, 90_000, at_ms=ms(at)) == charge(second, 90_000, at_ms=ms(at))


@pytest.mark.parametrize(
    "name", ["destinations.csv", "time-bands.toml", "service-charges.csv", "service-numbers.csv"]
)
def test_a_change_of_a_shared_file_is_seen(folder: ConfFolder, name: str) -> None:
    before = conf_fingerprint(folder.path)
    (folder.path / name).write_text((folder.path / name).read_text() + "# more\n")
    assert conf_fingerprint(folder.path) != before
