"""Re-rating: corrections in the ledger, once, whatever is repeated or killed; and the proof of every charge."""

import asyncio
import datetime
import sys

import msgspec
import pytest

from provisioning.problems import InvalidValue, Refused
from provisioning.rerating import run as running
from provisioning.rerating.buying import compare_buying
from provisioning.rerating.comparison import check, compare
from provisioning.rerating.legs import Scope
from provisioning.rerating.repricing import Choice
from provisioning.rerating.run import Order, list_runs, rerate
from provisioning.rerating.tariff_versions import keep_version, version_by
from provisioning.utc import time_from_ms
from rating.charge import charge
from rating.currency import ExchangeRates
from rating.deck import DeckPrice, deck_of
from rating.money import VatMode
from rating.rate import ON_NET
from rating.records import Cdr, UsageEntry
from rating.tariff import Tariff, load_tariff
from tests.provisioning.books.test_shipper import OPENING, Bench, at_the_bench
from tests.provisioning.records import AT_MS, cdr, conf

pytestmark = pytest.mark.wire

HEADER = "prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until\n"
OLD_CSV = (
    HEADER
    + """+44,UK,0,0.012,60,6,2020-01-01,
+447,UK mobile,0.01,0.06,1,1,2020-01-01,
sms:+44,Text,0.04,0,1,1,2020-01-01,
"""
)
NEW_CSV = (
    HEADER
    + """+44,UK,0,0.010,1,1,2020-01-01,
+447,UK mobile,0,0.07,30,30,2020-01-01,
sms:+44,Text,0.05,0,1,1,2020-01-01,
"""
)
OLD = load_tariff("retail", OLD_CSV, "inc_vat")
NEW = load_tariff("retail", NEW_CSV, "inc_vat")
SCOPE = Scope(time_from_ms(AT_MS - 1), time_from_ms(AT_MS + 86_400_000))
LANDLINE, MOBILE, NOWHERE = "+442079460123", "+447700900123", "+15550100123"


def leg(call_id: str, number: str, duration_ms: int, tariff: Tariff = OLD, **facts: object) -> Cdr:
    """As a switch would have written it."""
    rate = tariff.rate_for(number, AT_MS)
    assert rate is not None
    charged = charge(rate, duration_ms)
    return cdr(
        call_id,
        destination=number,
        destination_name=rate.destination,
        rate_prefix=rate.prefix,
        per_minute_micros=rate.per_minute_micros,
        duration_ms=duration_ms,
        billed_s=charged.billed_s,
        connect_fee_micros=charged.connect_fee_micros,
        usage_micros=charged.usage_micros,
        cost_micros=charged.total_micros,
        tariff_version=tariff.version,
        **facts,
    )


def new_cost(number: str) -> int:
    return charge(NEW.rate_for(number, AT_MS), 61_001).total_micros


def order(choice: Choice | None = None, reason: str = "the price list was wrong") -> Order:
    return Order(SCOPE, choice or Choice(), reason)


async def put(bench: Bench, *records: Cdr, texts: tuple[str, ...] = (OLD_CSV, NEW_CSV)) -> None:
    """Calls with their usage, and the tariffs loaded one after the other."""
    versions = [
        conf(load_tariff("retail", text, "inc_vat").version, text, valid_from_ms=AT_MS + place)
        for place, text in enumerate(texts)
    ]
    entries = [
        UsageEntry(record.payer_account_id or 1, record.call_id, record.leg, -record.cost_micros, record.ended_at_ms)
        for record in records
        if record.cost_micros
    ]
    bench.journal.append(*versions, *records, *entries)
    await bench.ship_all()


async def moved(bench: Bench) -> list[tuple[int, str]]:
    rows = await bench.db.fetch(
        "SELECT amount_micros, idempotency_key FROM ledger WHERE kind = 'rerating' ORDER BY account_id, id"
    )
    return [tuple(row) for row in rows]


@at_the_bench
async def test_old_charges_go_back_and_new_ones_are_taken_and_the_records_stay(bench: Bench) -> None:
    calls = [leg("a", LANDLINE, 61_001), leg("b", MOBILE, 61_001)]
    await put(bench, *calls)
    before = await bench.balance()
    done = await rerate(bench.pool, order())
    new_landline, new_mobile = new_cost(LANDLINE), new_cost(MOBILE)
    assert await moved(bench) == [
        (calls[0].cost_micros, "rerating/1/a/0/back"),
        (-new_landline, "rerating/1/a/0/new"),
        (calls[1].cost_micros, "rerating/1/b/0/back"),
        (-new_mobile, "rerating/1/b/0/new"),
    ]
    assert await bench.balance() == before + sum(call.cost_micros for call in calls) - new_landline - new_mobile
    assert (done.changed, done.comparison.legs, done.comparison.problems_count) == (2, 2, 0)
    kept = await bench.db.fetch("SELECT call_id, cost_micros FROM cdrs ORDER BY 1")
    assert [tuple(row) for row in kept] == [(call.call_id, call.cost_micros) for call in calls]
    rows = await bench.db.fetch(
        "SELECT old_micros, new_micros, diff_micros, tariff_version FROM rerated_calls ORDER BY call_id"
    )
    assert tuple(rows[0]) == (calls[0].cost_micros, new_landline, new_landline - calls[0].cost_micros, NEW.version)


@at_the_bench
async def test_a_second_run_starts_from_what_is_in_force(bench: Bench) -> None:
    await put(bench, leg("a", LANDLINE, 61_001))
    await rerate(bench.pool, order())
    balance = await bench.balance()
    again = await rerate(bench.pool, order())
    assert (again.run_id, again.changed) == (2, 0)
    assert await bench.balance() == balance
    back = await rerate(bench.pool, order(Choice("retail", OLD.version), reason="it had been right"))
    assert back.changed == 1
    assert await bench.balance() == OPENING - leg("a", LANDLINE, 61_001).cost_micros
    assert [amount for amount, _ in await moved(bench)][2:] == [
        charge(NEW.rate_for(LANDLINE, AT_MS), 61_001).total_micros,
        -leg("a", LANDLINE, 61_001).cost_micros,
    ]


@at_the_bench
async def test_killed_anywhere_and_ordered_again_it_moves_nothing_twice(bench: Bench) -> None:
    calls = [leg(f"call{place:02}", (LANDLINE, MOBILE)[place % 2], 1_000 * place + 1) for place in range(1, 9)]
    await put(bench, *calls)
    new = sum(charge(NEW.rate_for(call.destination, AT_MS), call.duration_ms).total_micros for call in calls)
    real_post, left = running.post_all, 0

    async def dying_post(*arguments: object, **named: object) -> object:
        """Dies before it has posted, or after: the rows of the run are not written then."""
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
        await real_post(*arguments, **named)
        if left == -1:
            raise KeyboardInterrupt
        return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "post_all", dying_post)
        patch.setattr(running, "LEGS_AT_ONCE", 2)
        for left in (1, 0, 2, 0, 3):  # noqa: B007 - the patched post counts it down
            with pytest.raises(KeyboardInterrupt):
                await rerate(bench.pool, order())
    assert 0 < await bench.db.fetchval("SELECT count(*) FROM rerated_calls") < len(calls)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "LEGS_AT_ONCE", 2)
        done = await rerate(bench.pool, order())
    runs = {row["run_id"] for row in await bench.db.fetch("SELECT DISTINCT run_id FROM rerated_calls")}
    assert (done.run_id, done.is_resumed, runs) == (1, True, {1})
    assert await bench.balance() == OPENING - new
    keys = [key for _, key in await moved(bench)]
    assert len(keys) == len(set(keys)) == 2 * len(calls)


@at_the_bench
async def test_killed_as_a_process_at_any_batch_it_is_gone_on_with(bench: Bench) -> None:
    calls = [leg(f"call{place:02}", (LANDLINE, MOBILE)[place % 2], 1_000 * place + 1) for place in range(1, 31)]
    await put(bench, *calls)
    new = sum(charge(NEW.rate_for(call.destination, AT_MS), call.duration_ms).total_micros for call in calls)
    dsn = await bench.db.fetchval("SELECT 'postgresql://offhook@/' || current_database()")
    where = "SELECT split_part(setting, ',', 1) FROM pg_settings WHERE name = 'unix_socket_directories'"
    host = await bench.db.fetchval(where)
    for batches in (1, 3):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.provisioning.rerating.killed_run", f"{dsn}?host={host}",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert child.stdout is not None
        for _ in range(batches):
            assert await child.stdout.readline() == b"written\n"
        child.kill()
        await child.wait()
        while await bench.db.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"):
            await asyncio.sleep(0.05)  # until PostgreSQL has seen that it is gone
    written = await bench.db.fetchval("SELECT count(*) FROM rerated_calls")
    assert 9 <= written < len(calls)
    done = await rerate(bench.pool, order())
    assert (done.run_id, done.is_resumed) == (1, True)
    assert await bench.balance() == OPENING - new
    assert len(await moved(bench)) == 2 * len(calls)


@at_the_bench
async def test_what_cannot_be_rated_is_set_aside_with_an_alarm_and_stops_nobody(bench: Bench) -> None:
    strange = msgspec.structs.replace(leg("b", MOBILE, 5_000), destination=NOWHERE)
    await put(bench, leg("a", LANDLINE, 61_001), strange, leg("c", MOBILE, 5_000))
    done = await rerate(bench.pool, order())
    assert (done.changed, done.comparison.problems_count) == (2, 1)
    aside = await bench.db.fetchrow("SELECT call_id, leg, account_id, why FROM unratable_calls")
    assert tuple(aside)[:3] == ("b", 0, 1)
    assert f"no price for {NOWHERE}" in aside["why"]
    alarm = await bench.db.fetchrow("SELECT account_id, rule, words FROM alarms")
    assert tuple(alarm)[:2] == (1, "unratable")
    assert alarm["words"].startswith("1 legs could not be rated again by run 1")


@at_the_bench
async def test_a_dry_run_writes_nothing(bench: Bench) -> None:
    await put(bench, leg("a", LANDLINE, 61_001))
    done = await rerate(bench.pool, order(), is_dry=True)
    assert (done.run_id, done.changed) == (0, 1)
    assert await moved(bench) == []
    assert await bench.db.fetchval("SELECT count(*) FROM rerating_runs") == 0


@at_the_bench
async def test_what_stands_on_an_invoice_is_named(bench: Bench) -> None:
    await put(bench, leg("a", LANDLINE, 61_001))
    await bench.db.execute(
        "INSERT INTO invoices (number, kind, account_id, issued_on, tax_point, period_from, period_to, net_micros,"
        " vat_micros, total_micros, document) VALUES ('INV-7', 'invoice', 1, '2026-02-01', '2026-02-01', '2026-01-01',"
        " '2026-02-01', 0, 0, 0, '{}')"
    )
    assert (await rerate(bench.pool, order(), is_dry=True)).invoiced == {"INV-7": 1}
    assert (await rerate(bench.pool, order())).invoiced == {"INV-7": 1}
    assert await bench.db.fetchval("SELECT invoice FROM rerated_calls") == "INV-7"


@at_the_bench
async def test_two_runs_at_once_are_one_too_many(bench: Bench) -> None:
    await put(bench, leg("a", LANDLINE, 61_001))
    await bench.db.execute("SELECT pg_advisory_lock($1)", running.ONE_RUN)
    with pytest.raises(Refused, match="another re-rating is going on"):
        await rerate(bench.pool, order())
    await bench.db.execute("SELECT pg_advisory_unlock($1)", running.ONE_RUN)


@at_the_bench
async def test_calls_between_lines_texts_and_free_calls_are_rated_as_what_they_were(bench: Bench) -> None:
    csv = NEW_CSV + "on-net,Between lines,0,0.006,1,1,2020-01-01,\n"
    newest = load_tariff("retail", csv, "inc_vat")
    on_net = cdr("a", destination="bob", rate_prefix="", destination_name="", billed_s=0, usage_micros=0, cost_micros=0,
                 duration_ms=30_000, tariff_version=OLD.version, per_minute_micros=None)  # fmt: skip
    text = cdr("b", leg_reason="a message", destination=MOBILE, rate_prefix="sms:+44", destination_name="Text",
               billed_s=0, duration_ms=0, usage_micros=0, connect_fee_micros=40_000, cost_micros=40_000,
               outcome="delivered", answered_at_ms=None, tariff_version=OLD.version)  # fmt: skip
    await put(bench, on_net, text, texts=(OLD_CSV, csv))
    assert (await check(bench.pool, SCOPE)).problems == []
    await rerate(bench.pool, order())
    rows = await bench.db.fetch("SELECT call_id, new_micros, rate_prefix, billed_s FROM rerated_calls ORDER BY 1")
    assert [tuple(row) for row in rows] == [
        ("a", charge(newest.rate_for(ON_NET, AT_MS), 30_000).total_micros, ON_NET, 30),
        ("b", 50_000, "sms:+44", 0),
    ]
    assert (await check(bench.pool, SCOPE)).problems == []


@at_the_bench
async def test_a_call_cut_at_its_last_paid_second_is_rated_for_what_it_had(bench: Bench) -> None:
    cut = msgspec.structs.replace(
        leg("a", MOBILE, 30_000), duration_ms=30_700, ended_by="credit", reason="the credit ran out"
    )
    await put(bench, cut)
    assert (await check(bench.pool, SCOPE)).problems == []
    await rerate(bench.pool, order())
    assert await bench.db.fetchval("SELECT new_micros FROM rerated_calls") == (
        charge(NEW.rate_for(MOBILE, AT_MS), 30_000).total_micros
    )


@at_the_bench
async def test_what_was_not_charged_by_rule_stays_free(bench: Bench) -> None:
    nothing = {"billed_s": 0, "connect_fee_micros": 0, "usage_micros": 0, "cost_micros": 0}
    unheard = msgspec.structs.replace(leg("a", MOBILE, 32_000), outcome="unconfirmed", **nothing)
    missed = msgspec.structs.replace(
        leg("b", MOBILE, 0), outcome="busy", answered_at_ms=None, duration_ms=0, **nothing
    )
    await put(bench, unheard, missed)
    assert (await check(bench.pool, SCOPE)).problems == []
    assert (await rerate(bench.pool, order())).changed == 0


@at_the_bench
async def test_the_proof_names_each_charge_that_is_not_its_tariffs(bench: Bench) -> None:
    wrong = msgspec.structs.replace(leg("a", MOBILE, 61_001), usage_micros=62_001, cost_micros=72_001)
    await put(bench, wrong, leg("b", MOBILE, 61_001), leg("c", LANDLINE, 7_000))
    found = await check(bench.pool, SCOPE)
    assert (found.legs, [problem.call_id for problem in found.problems]) == (3, ["a"])
    assert "usage 62001 on record, 62000 by the tariff" in found.problems[0].why


@at_the_bench
async def test_a_comparison_adds_up_by_account_and_destination(bench: Bench) -> None:
    calls = [leg("a", MOBILE, 61_001), leg("b", MOBILE, 10_000), leg("c", LANDLINE, 61_001)]
    await put(bench, *calls)
    seen: list[tuple[int, int]] = []
    found = await compare(
        bench.pool, SCOPE, Choice("retail", NEW.version, VatMode.INC_VAT), lambda done, of: seen.append((done, of))
    )
    mobile = found.differences[1, "UK mobile"]
    assert mobile.legs == 2
    assert mobile.old_micros == calls[0].cost_micros + calls[1].cost_micros
    assert mobile.new_micros == sum(
        charge(NEW.rate_for(MOBILE, AT_MS), call.duration_ms).total_micros for call in calls[:2]
    )
    assert seen[-1] == (3, 3)
    assert await moved(bench) == []


@at_the_bench
async def test_a_tariff_of_the_other_vat_mode_rates_nothing(bench: Bench) -> None:
    await put(bench, leg("a", MOBILE, 61_001))
    found = await compare(bench.pool, SCOPE, Choice("retail", NEW.version, VatMode.EX_VAT))
    assert found.problems_count == 1
    assert "ex_vat and the account is inc_vat" in found.problems[0].why


@at_the_bench
async def test_a_file_that_no_exchange_has_loaded_is_kept_and_proves_itself(bench: Bench) -> None:
    await put(bench, leg("a", MOBILE, 61_001), texts=(OLD_CSV,))
    await keep_version(bench.db, "retail", NEW.version, NEW_CSV)
    await rerate(bench.pool, order(Choice("retail", await version_by(bench.db, "retail", NEW.version[:6]))))
    found = await check(bench.pool, SCOPE)
    assert (found.legs, found.problems) == (1, [])
    assert (await list_runs(bench.pool, 5))[0].changed == 1


@pytest.mark.parametrize("reason", ["", "x" * 201, "two\nlines"])
def test_a_reason_is_a_line_of_words(reason: str) -> None:
    with pytest.raises(InvalidValue):
        order(reason=reason)


def test_a_period_has_an_end_after_its_beginning() -> None:
    at = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    for since, until in ((at, at), (at.replace(tzinfo=None), at)):
        with pytest.raises(InvalidValue):
            Scope(since, until)


@at_the_bench
async def test_what_calls_would_cost_us_by_another_deck(bench: Bench) -> None:
    caller = leg("a", MOBILE, 61_001)
    by_trunk = {"account_id": None, "payer_account_id": None, "line": "", "trunk": "carrier", "tariff": "",
                "cost_micros": 0, "usage_micros": 0, "billed_s": 0, "duration_ms": 61_001}  # fmt: skip
    known = cdr("a", 1, destination=MOBILE, destination_name="", buy_micros=5_000, **by_trunk)
    other = cdr("b", 1, destination=LANDLINE, destination_name="UK", buy_micros=700, **by_trunk)
    await put(bench, caller, known, leg("b", LANDLINE, 61_001), other)
    price = DeckPrice("+447", "UK mobile", 0, 10_000_000, 1, 1, 0, None)
    deck = deck_of("cheap", [price], currency="GBP", exchange_rates=ExchangeRates({}))
    rate = deck.rate_for(MOBILE, AT_MS)
    assert rate is not None
    found = await compare_buying(bench.pool, SCOPE, deck)
    mobile = found.differences[1, "UK mobile"]
    assert (mobile.legs, mobile.old_micros, mobile.new_micros) == (1, 5_000, charge(rate, 61_001).total_micros)
    assert [problem.why for problem in found.problems] == [f"deck cheap has no buying price for {LANDLINE}"]
    assert found.differences[1, "UK"].diff_micros == 0
