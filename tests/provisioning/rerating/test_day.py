"""A simulated day: each kind of charged leg, by the exchange itself, and the proof that it is what its tariff says."""

from random import Random

import pytest

from provisioning.model import Divert, DivertCondition, DivertKind
from provisioning.rerating.comparison import check
from provisioning.rerating.legs import Scope
from provisioning.rerating.repricing import Choice
from provisioning.rerating.run import Order, rerate
from provisioning.utc import time_from_ms
from rating.records import BundleUse, Cdr, ConfVersion, UsageEntry
from rating.tariff import load_tariff
from tests.provisioning.books.test_shipper import Bench, at_the_bench
from tests.provisioning.databases import add_prepaid
from tests.switch.house import STARTED_AT_S, House, make_account, make_conf, make_line, make_trunk

pytestmark = pytest.mark.wire

HEADER = (
    "prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until,"
    "included_s,minimum_charge,call_cap,at_cap\n"
)
DAY_CSV = (
    HEADER
    + """+44,UK,0,0.012,60,6,2020-01-01,,,,,
+447,UK mobile,0.01,0.061,1,1,2020-01-01,,5,0.02,,
+4480,Freephone,0,0,1,1,2020-01-01,,,,,
118,Directory,1,1,60,60,2020-01-01,,,,3.50,end
on-net,Between lines,0,0.001,1,1,2020-01-01,,,,,
attempt:+447,Attempt,0.0015,0,1,1,2020-01-01,,,,,
in:+44808,Freephone,0,0.02,1,1,2020-01-01,,,,,
in:mobile:+44808,Freephone from mobiles,0,0.06,30,6,2020-01-01,,,,,
"""
)
OWNED = "+448081570123"
CALLS = 60


def live_through(house: House, random: Random) -> None:
    hosts = (("alice", 10), ("bob", 11), ("poor", 12), ("carrier", 50))
    alice, bob, poor, carrier = (house.phone(user, f"192.0.2.{host}") for user, host in hosts)
    for place in range(CALLS):
        if place % 3 == 0:  # more often than it expires
            for phone in (alice, bob, poor):
                phone.register()
        who, number = random.choice(
            [
                (alice, "07700900123"), (alice, "01632960123"), (alice, "bob"), (alice, "08081570999"),
                (alice, "118500"), (alice, "carol"), (poor, "07700900123"), (carrier, OWNED),
            ]
        )  # fmt: skip
        carrier.answer = random.choice([200, 200, 200, 486])
        caller = random.choice(["+447700900123", "+441632960124"])
        extra = [("p-asserted-identity", f"<sip:{caller}@192.0.2.50>")] if who is carrier else []
        who.invite(number, extra=extra)
        house.run(random.choice([3, 20, 61.5, 130.3]))
        if house.exchange.board.calls and who.dialogs:
            who.hang_up()
        house.run(34)
    assert not house.exchange.board.calls


@at_the_bench
async def test_every_charge_of_a_day_is_what_its_own_tariff_version_says(bench: Bench) -> None:
    tariff = load_tariff("retail", DAY_CSV, "inc_vat")
    to_mobile = Divert(DivertCondition.ALL, DivertKind.NUMBER, "+447700900124")
    house = House(
        conf=make_conf(trunks=[make_trunk("carrier", "192.0.2.50")], tariff=tariff),
        lines=[make_line("alice"), make_line("bob"), make_line("carol", diverts=(to_mobile,)), make_line("poor", 2)],
        accounts=[make_account(1), make_account(2)],
        numbers={OWNED: "bob"},
        balances={1: 900_000_000, 2: 300_000},
    )
    live_through(house, Random(7))
    records = [record for record in house.journal.records if isinstance(record, (Cdr, UsageEntry, BundleUse))]
    await add_prepaid(bench.pool, "Poor")
    bench.journal.append(ConfVersion("tariff", "retail", tariff.version, 0, DAY_CSV), *records)
    await bench.ship_all()
    assert await bench.reasons() == []
    start = time_from_ms(int(STARTED_AT_S) * 1000)
    scope = Scope(start, start.replace(year=start.year + 1))
    kinds = {cdr.rate_prefix for cdr in house.journal.cdrs() if cdr.cost_micros}
    assert kinds == {"+44", "+447", "118", "on-net", "attempt:+447", "in:+44808", "in:mobile:+44808"}
    assert {cdr.ended_by for cdr in house.journal.cdrs()} >= {"credit", "caller"}
    assert any(cdr.leg == 1 and cdr.cost_micros for cdr in house.journal.cdrs())  # a divert, paid by its line
    found = await check(bench.pool, scope)
    assert [problem.why for problem in found.problems] == []
    assert found.legs > CALLS
    charged = sum(cdr.cost_micros for cdr in house.journal.cdrs())
    assert sum(each.old_micros for each in found.differences.values()) == charged
    assert sum(each.new_micros for each in found.differences.values()) == charged
    again = await rerate(bench.pool, Order(scope, Choice(), "nothing has changed"))
    assert (again.changed, again.comparison.problems_count) == (0, 0)
