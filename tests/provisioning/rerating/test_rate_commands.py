"""`offhook rate` and `offhook rerate` as an operator types them, on books of their own."""

import asyncio
import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from offhook import progress
from offhook.__main__ import app
from offhook.exit_codes import CommandError
from offhook.supervisor.conf_home import packaged_conf
from provisioning import service
from rating.charge import charge
from rating.records import ConfVersion, UsageEntry
from switch.config import load_conf
from tests.provisioning.books.test_shipper import Bench
from tests.provisioning.databases import add_prepaid
from tests.provisioning.records import AT_MS, Journal, cdr

pytestmark = pytest.mark.wire

MOBILE, LONDON = "+447700900123", "+442079460123"
DAY = "2026-01-01"


class Desk:
    """Books with an account, two calls by the shipped tariff, and the command line."""

    def __init__(self, dsn: str, conf: Path) -> None:
        self.dsn = dsn
        self.conf = conf
        self.tariff = load_conf(conf).tariffs["retail"]

    def __call__(self, *arguments: str) -> Result:
        options = ["--conf", str(self.conf)]
        if arguments[:2] != ("rate", "export"):
            options += ["--dsn", self.dsn]
        return CliRunner().invoke(app, [*arguments, *options])

    def json(self, *arguments: str) -> dict[str, object]:
        result = self(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
def desk(dsn: str, tmp_path: Path) -> Iterator[Desk]:
    conf = Path(shutil.copytree(packaged_conf(), tmp_path / "conf"))
    desk = Desk(dsn, conf)
    asyncio.run(_fill(desk, tmp_path))
    yield desk


async def _fill(desk: Desk, folder: Path) -> None:
    text = next(each.content for each in load_conf(desk.conf).versions if each.name == "retail")
    async with service.connect(desk.dsn) as db:
        await add_prepaid(db)
        await service.add_line(db, "alice", account_name="Shop", realm="offhook")
        await service.assign_number(db, "+442079460999", "alice")
    calls = []
    for call_id, number, duration_ms in (("a", MOBILE, 61_200), ("b", LONDON, 125_000)):
        rate = desk.tariff.rate_for(number, AT_MS)
        assert rate is not None
        charged = charge(rate, duration_ms, at_ms=AT_MS + 3_200)
        calls.append(
            cdr(
                call_id, destination=number, destination_name=rate.destination, rate_prefix=rate.prefix,
                duration_ms=duration_ms, billed_s=charged.billed_s, connect_fee_micros=charged.connect_fee_micros,
                usage_micros=charged.usage_micros, cost_micros=charged.total_micros,
                tariff_version=desk.tariff.version,
            )
        )  # fmt: skip
    journal = Journal(folder / "journal")
    connection = await asyncpg.connect(desk.dsn)
    try:
        bench = Bench(journal, connection, None)  # type: ignore[arg-type]
        usage = [UsageEntry(1, call.call_id, 0, -call.cost_micros, call.ended_at_ms) for call in calls]
        journal.append(ConfVersion("tariff", "retail", desk.tariff.version, AT_MS, text), *calls, *usage)
        await bench.ship_all()
        bench.outbox.close()
    finally:
        await connection.close()
        journal.close()


def dearer(desk: Desk, folder: Path) -> Path:
    """The shipped tariff with a connect fee for mobiles."""
    text = (desk.conf / "tariffs" / "retail.csv").read_text("utf-8")
    other = folder / "retail.csv"
    lines = [
        line.replace(",UK mobile,0,", ",UK mobile,0.05,") if line.startswith("group:uk_mobile,") else line
        for line in text.split("\n")
    ]
    assert "\n".join(lines) != text
    other.write_text("\n".join(lines), "utf-8")
    return other


def test_explain_tells_each_step_and_the_exact_total(desk: Desk) -> None:
    asked = ("rate", "explain", "--account", "shop", "--to", "07700 900123", "--at", "2026-01-01 10:00", "--duration")
    asked = (*asked, "61")
    told = desk.json(*asked)
    rate = desk.tariff.rate_for(MOBILE, AT_MS)
    expected = charge(rate, 61_000, at_ms=AT_MS).total_micros
    assert (told["number"], told["class"], told["tariff"]) == (MOBILE, "mobile", "retail")
    assert told["total_micros"] == expected
    assert told["version"] == desk.tariff.version
    csv_lines = (desk.conf / "tariffs" / "retail.csv").read_text("utf-8").split("\n")
    assert csv_lines[int(told["line"]) - 1].startswith(f"{told['prefix']},")  # type: ignore[call-overload]
    text = desk(*asked).stdout
    for word in ("row", "seconds", "usage", "charge", "VAT", "account"):
        assert f"\n{word}" in text


def test_explain_knows_emergencies_lines_of_ours_and_free_numbers(desk: Desk) -> None:
    asked = ("rate", "explain", "--from", "alice", "--duration", "60", "--to")
    assert desk.json(*asked, "999")["total_micros"] == 0
    assert desk.json(*asked, "999")["class"] == "emergency"
    on_net = desk.json(*asked, "020 7946 0999")
    assert "both ends are of this exchange" in json.dumps(on_net)
    assert on_net["total_micros"] == 0
    free = desk.json(*asked, "0808 157 0123")
    assert (free["class"], free["total_micros"]) == ("freephone", 0)


def test_explain_says_when_a_call_would_be_refused(desk: Desk) -> None:
    result = desk("rate", "explain", "--account", "Shop", "--to", "+8811234567", "--duration", "60")
    assert result.exit_code == 1
    assert "refused" in result.stdout


def test_explain_asks_who_pays_and_refuses_strangers(desk: Desk) -> None:
    for arguments in ((), ("--account", "Shop", "--from", "alice"), ("--account", "Nobody"), ("--from", "no\x00body")):
        result = desk("rate", "explain", "--to", "999", "--duration", "1", *arguments)
        assert isinstance(result.exception, CommandError), result.output


def test_n15_a_customer_sees_his_own_prices_and_that_of_one_number(desk: Desk) -> None:
    """uk.md (S) N15: prices from support and portal, as the customer has them."""
    listed = desk.json("rate", "list", "--account", "Shop", "--on", DAY)
    assert listed["vat"] == "inc_vat"
    assert {row["destination"] for row in listed["prices"]} >= {"UK landline", "UK mobile"}  # type: ignore[attr-defined]
    one = desk.json("rate", "list", "--account", "Shop", "--on", DAY, "--to", "07700 900123")
    rate = desk.tariff.rate_for(MOBILE, AT_MS)
    assert rate is not None
    assert [row["per_minute_micros"] for row in one["prices"]] == [rate.per_minute_micros]  # type: ignore[attr-defined]
    assert "Free" in desk("rate", "list", "--account", "Shop", "--to", "020 7946 0999").stdout


def test_m13_a_dated_price_list_is_published_as_page_csv_and_json(desk: Desk, tmp_path: Path) -> None:
    """uk.md (S) M13: up-to-date standard pricing on the web."""
    page = tmp_path / "prices.html"
    written = desk("rate", "export", "--tariff", "retail", "--on", DAY, "--format", "html", "--out", str(page))
    assert written.exit_code == 0
    html = page.read_text("utf-8")
    assert f"Prices retail, {DAY}" in html
    assert desk.tariff.version in html
    assert "UK mobile" in html
    told = json.loads(desk("rate", "export", "--tariff", "retail", "--on", DAY, "--format", "json").stdout)
    assert (told["on"], told["version"], told["currency"]) == (DAY, desk.tariff.version, "GBP")
    earlier = json.loads(desk("rate", "export", "--tariff", "retail", "--on", "2001-01-01", "--format", "json").stdout)
    assert earlier["prices"] == []


def test_c10_a_price_list_can_be_sent_on_request(desk: Desk) -> None:
    """uk.md (S) C10: prices by e-mail or phone on request."""
    result = desk("rate", "export", "--tariff", "retail", "--on", DAY)
    rows = list(csv.DictReader(result.stdout.splitlines()))
    mobile = next(row for row in rows if row["destination"] == "UK mobile")
    rate = desk.tariff.rate_for(MOBILE, AT_MS)
    assert rate is not None
    assert mobile["per_minute"] == f"{rate.per_minute_micros // 10**6}.{rate.per_minute_micros % 10**6:06d}"
    assert (mobile["kind"], mobile["prefix"]) == ("call", "uk_mobile")
    assert all(row["prefix"][0] not in "=+-@" for row in rows)


def test_simulate_prints_the_difference_per_account_and_destination(desk: Desk, tmp_path: Path) -> None:
    period = ("rate", "simulate", "--from", DAY, "--to", DAY, "--tariff", str(dearer(desk, tmp_path)))
    told = desk.json(*period)
    assert told["diff_micros"] == 50_000
    changed = [row for row in told["differences"] if row["diff_micros"]]  # type: ignore[attr-defined]
    assert [(row["account"], row["destination"], row["legs"]) for row in changed] == [("Shop", "UK mobile", 1)]
    assert desk(*period).stdout.splitlines()[-1].split()[-1] == "£0.05"
    rows = list(csv.DictReader(desk(*period, "--csv").stdout.splitlines()))
    assert sorted(row["difference"] for row in rows) == ["0.000000", "0.050000"]


def test_simulate_names_a_tariff_that_is_none(desk: Desk) -> None:
    for named in ("nothing", "retail@ffff"):
        result = desk("rate", "simulate", "--from", DAY, "--to", DAY, "--tariff", named)
        assert isinstance(result.exception, CommandError)


def test_rerate_corrects_once_and_proves_itself(desk: Desk, tmp_path: Path) -> None:
    period = ("--from", DAY, "--to", DAY)
    assert desk.json("rerate", *period, "--check") == {"legs": 2, "differences": 0, "problems": []}
    order = ("rerate", *period, "--tariff", str(dearer(desk, tmp_path)), "--reason", "the connect fee was missing")
    assert desk.json(*order, "--dry-run")["changed"] == 1
    done = desk.json(*order)
    assert (done["run"], done["changed"], done["diff_micros"]) == (1, 1, 50_000)
    assert desk.json(*order)["changed"] == 0
    assert desk.json("rerate", *period, "--check")["differences"] == 0
    assert "the connect fee was missing" in desk("rerate", "--list").stdout
    in_force = desk.json("rate", "simulate", *period, "--tariff", "retail")["old_micros"]
    assert asyncio.run(_balance(desk)) == 10_000_000 - int(in_force)  # type: ignore[call-overload]


async def _balance(desk: Desk) -> int:
    async with service.connect(desk.dsn) as db:
        return int(await db.fetchval("SELECT balance_micros FROM account_balances WHERE account_id = 1"))


def test_a_wrong_charge_is_found_and_the_exit_code_says_so(desk: Desk) -> None:
    asyncio.run(_spoil(desk))
    result = desk("rerate", "--from", DAY, "--to", DAY, "--check")
    assert result.exit_code == 1
    assert "1 differ" in result.stdout


async def _spoil(desk: Desk) -> None:
    async with service.connect(desk.dsn) as db:
        await db.execute(
            "CREATE TEMP TABLE spoilt AS SELECT * FROM cdrs WHERE call_id = 'a';"
            " UPDATE spoilt SET call_id = 'z', usage_micros = usage_micros + 1, cost_micros = cost_micros + 1;"
            " INSERT INTO cdrs SELECT * FROM spoilt"
        )


@pytest.mark.parametrize(
    "arguments",
    [
        ("rerate",),
        ("rerate", "--from", DAY, "--to", DAY),
        ("rerate", "--from", DAY, "--to", "2025-12-31", "--check"),
        ("rerate", "--from", "soon", "--to", DAY, "--check"),
        ("rerate", "--from", DAY, "--to", DAY, "--check", "--account", "Nobody"),
    ],
)
def test_what_cannot_be_meant_is_refused(desk: Desk, arguments: tuple[str, ...]) -> None:
    assert isinstance(desk(*arguments).exception, CommandError)


def test_a_bar_is_drawn_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with progress.progress_bar("calls") as report:
        assert report is None
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with progress.progress_bar("calls") as report:
        assert report is not None
        report(1, 2)
