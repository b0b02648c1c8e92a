"""A line whose account is overdue, by a real phone on a real exchange: what it hears, whom it reaches, and how soon it
calls again once the bill is paid. Emergency calls go to a trunk of ours on the loopback address."""

import asyncio
import datetime
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from billing.arrears.ladder import Rung, State
from billing.arrears.rows import save_state, set_restriction
from demo.phone import Phone
from demo.phone_messages import CallArrived, CallState
from provisioning import service
from provisioning.settings import Restriction
from tests.billing.books import add_bare_invoice
from tests.wire.phones.calling import connect, hang_up, talk, wait_until_heard
from tests.wire.phones.records import records_of
from tests.wire.phones.town import PASSWORD, TARIFF_CSV, Town

Registered = Callable[..., Phone]
Carrier = Callable[..., Phone]

CONF = Path(__file__).parents[3] / "conf"
LONDON = "02079460123"
FREEPHONE = "08081570123"
ISSUED_ON = datetime.date(2026, 1, 5)
POUND = 1_000_000
HOLDS_ON_S = 2.0  # a change reaches the switch within a second


@pytest.fixture(scope="module")
def running_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town(tmp_path_factory.mktemp("arrears"), voicemail="")
    tariff = town.conf / "tariffs" / "retail.csv"
    assert tariff.read_text(encoding="utf-8") == TARIFF_CSV
    tariff.write_text(f"{TARIFF_CSV}+4480,Freephone,0,0,1,1,2020-01-01,\n", encoding="utf-8")
    with (town.conf / "routing.toml").open("a", encoding="utf-8") as routing:
        routing.write('"+44808" = ["carrier_a"]\n')
    (town.conf / "billing.toml").write_bytes((CONF / "billing.toml").read_bytes())
    try:
        town.start()
        town.populate()
        yield town
    finally:
        town.stop()


async def _become_overdue(dsn: str, account: str, rung: Rung) -> None:
    async with service.connect(dsn) as db:
        account_id = await db.fetchval("SELECT id FROM accounts WHERE name = $1", account)
        await add_bare_invoice(db, account_id, 50 * POUND, issued_on=ISSUED_ON)
        async with db.acquire() as connection, connection.transaction():
            await save_state(connection, account_id, State(rung, ISSUED_ON), minimum_micros=20 * POUND)
            await set_restriction(connection, account_id, was=Restriction.NONE, now=rung.restriction)


async def _climb(dsn: str, account: str, was: Rung, rung: Rung) -> None:
    async with service.connect(dsn) as db, db.acquire() as connection, connection.transaction():
        account_id = await connection.fetchval("SELECT id FROM accounts WHERE name = $1", account)
        await save_state(connection, account_id, State(rung, ISSUED_ON))
        await set_restriction(connection, account_id, was=was.restriction, now=rung.restriction)


def dsn_of(town: Town) -> str:
    return town.data.dsn_file.read_text(encoding="utf-8").strip()


def restriction_of(town: Town, account: str) -> str:
    view = town.run_json("account", "show", account)
    return str(view["view"]["account"]["settings"].get("restriction", ""))


def test_a_restricted_line_hears_why_reaches_help_is_paid_and_calls_again(
    town: Town, registered: Registered, carrier: Carrier
) -> None:
    town.add_subscriber("erin", account="overdue", credit="10.00")
    town.run("line", "add", "frank", "--account", "overdue", "--password-stdin", stdin=PASSWORD)
    erin, alice, trunk = registered("erin"), registered("alice"), carrier("carrier_a")
    up, theirs = connect(town, erin, LONDON, trunk)
    asyncio.run(_become_overdue(dsn_of(town), "overdue", Rung.OUTGOING))
    talk(HOLDS_ON_S)  # a call that is up goes on
    assert len(town.live_calls()) == 1
    hang_up(up, theirs)

    mark = trunk.mark()
    refused = erin.dial(town.uri(LONDON))
    refused.wait_for(CallState.EARLY)
    wait_until_heard(refused, more_than=20)
    assert refused.wait_ended(timeout_s=30).status == 403
    caller, words = records_of(town, refused.sip_call_id, legs=2)
    assert (caller.outcome, caller.cost_micros) == ("account_restricted", 0)
    assert caller.reason == "outgoing calls are stopped until the account is paid"
    assert words.leg_reason == "announcement account-overdue"
    assert not trunk.events_of(CallArrived, after=mark)
    told = town.run("route", "explain", "--from", "erin", "--to", LONDON)
    assert "outgoing calls are stopped until the account is paid" in told
    assert "restricted for debt: outgoing" in town.run("account", "show", "overdue")

    for dialled in (FREEPHONE, "999", "112"):
        hang_up(*connect(town, erin, dialled, trunk))
    hang_up(*connect(town, alice, "erin", erin))  # incoming stays

    asyncio.run(_climb(dsn_of(town), "overdue", Rung.OUTGOING, Rung.SUSPENDED))
    town.wait_until(
        "suspension",
        lambda: (
            "the account is suspended" in town.run("route", "explain", "--from", "erin", "--to", FREEPHONE)
        ),
    )
    no_way_in = alice.dial(town.uri("frank"))
    assert no_way_in.wait_ended(timeout_s=30).status == 480
    assert records_of(town, no_way_in.sip_call_id, legs=2)[0].outcome == "callee_out_of_service"
    hang_up(*connect(town, erin, "999", trunk))
    hang_up(*connect(town, alice, "erin", erin))  # for half an hour it might be the emergency service

    paid = ("overdue", "50.00", "--method", "cash", "--reference", "receipt 1")
    town.run("payment", "record", *paid)
    assert restriction_of(town, "overdue") == ""
    town.wait_until(
        "service again",
        lambda: "no rule forbids the call" in town.run("route", "explain", "--from", "erin", "--to", LONDON),
    )
    hang_up(*connect(town, erin, LONDON, trunk))
    hang_up(*connect(town, alice, "erin", erin))
