"""A trunk's addresses: how they are written, that each has one owner, and that the running exchange hears of them."""

import ipaddress
from pathlib import Path

import asyncpg
import pytest

from provisioning import service
from provisioning.books.changes import Position, read_changes
from provisioning.books.snapshot import load_snapshot, read_checkpoint, write_checkpoint
from provisioning.line_addresses import ADDRESSES_MAX, check_line_addresses, parse_line_address
from provisioning.model import LineAddress, LineChanged, LineKind
from provisioning.service import InvalidValue, Refused
from tests.provisioning.databases import add_prepaid, in_database

REALM = "sip.example.com"
HERE = "203.0.113.9:5060"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.9:5062", LineAddress("udp", "203.0.113.9", 5062)),
        ("203.0.113.9", LineAddress("udp", "203.0.113.9", 5060)),
        ("udp:203.0.113.9:5060", LineAddress("udp", "203.0.113.9", 5060)),
        ("tcp:203.0.113.9:65535", LineAddress("tcp", "203.0.113.9", 65535)),
        ("[2001:db8::9]:5062", LineAddress("udp", "2001:db8::9", 5062)),
        ("tcp:[2001:DB8:0:0::9]", LineAddress("tcp", "2001:db8::9", 5060)),
    ],
)
def test_an_address_is_a_transport_a_host_and_a_port(text: str, address: LineAddress) -> None:
    assert parse_line_address(text) == address
    assert parse_line_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "", ":", "pbx.example.com:5060", "203.0.113.9:", "203.0.113.9:0", "203.0.113.9:65536", "203.0.113.9:1_0",
        "203.0.113.9:+5", "203.0.113.9:\u0665\u0660", "203.0.113.09:5060", "203.0.113:5060", "0.0.0.0:5060",
        "255.255.255.255:5060", "224.0.1.75:5060", "tls:203.0.113.9:5061", "sctp:203.0.113.9:5060",
        "2001:db8::9:5060", "[2001:db8::9]5060", "[::]:5060", "[ff02::1]:5060", "[fe80::1]:5060",
        "[::ffff:203.0.113.9]:5060", "[203.0.113.9]:5060", "203.0.113.0/24:5060",
        " 203.0.113.9:5060", "203.0.113.9:5060\r\n", "x" * 10_000,
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="address"):
        parse_line_address(text)


def test_a_list_has_each_source_once_and_an_end() -> None:
    both = check_line_addresses(["203.0.113.9:5060", "203.0.113.9:5062", "tcp:203.0.113.9:5060"])
    assert [str(address) for address in both] == [
        "udp:203.0.113.9:5060", "udp:203.0.113.9:5062", "tcp:203.0.113.9:5060",
    ]  # fmt: skip
    for twice in ([HERE, f"udp:{HERE}"], ["tcp:203.0.113.9:5060", "tcp:203.0.113.9:5062"]):
        with pytest.raises(InvalidValue, match="once"):
            check_line_addresses(twice)
    with pytest.raises(InvalidValue, match="at most 8"):
        check_line_addresses([f"203.0.113.9:{port}" for port in range(5060, 5061 + ADDRESSES_MAX)])


@pytest.mark.wire
@in_database
async def test_a_trunk_is_added_shown_and_changed(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    await service.add_line(
        db,
        "pbx1",
        account_name="Shop",
        realm=REALM,
        kind=LineKind.TRUNK,
        addresses=[HERE, "tcp:203.0.113.10:5060"],
        calls_per_second_max=5,
    )
    view = await service.show_line(db, "pbx1")
    assert (view.kind, view.addresses, view.calls_per_second_max) == (
        LineKind.TRUNK, ["udp:203.0.113.9:5060", "tcp:203.0.113.10:5060"], 5,
    )  # fmt: skip
    await service.set_line(db, "pbx1", addresses=["[2001:db8::a]:5060", HERE], calls_per_second_max=0)
    view = await service.show_line(db, "pbx1")
    assert (view.addresses, view.calls_per_second_max) == (
        ["udp:[2001:db8::a]:5060", "udp:203.0.113.9:5060"], 0,
    )  # fmt: skip
    with pytest.raises(InvalidValue, match="trunk, as the line has addresses"):
        await service.set_line(db, "pbx1", kind=LineKind.PHONE)
    await service.set_line(db, "pbx1", kind=LineKind.PHONE, addresses=[])
    view = await service.show_line(db, "pbx1")
    assert (view.kind, view.addresses) == (LineKind.PHONE, [])
    with pytest.raises(InvalidValue, match="trunk, as the line has addresses"):
        await service.add_line(db, "p2", account_name="Shop", realm=REALM, addresses=[HERE])


@pytest.mark.wire
@in_database
async def test_an_address_has_one_owner_and_the_database_says_so_too(db: asyncpg.Pool) -> None:
    await add_prepaid(db)

    async def add(user: str, *addresses: str) -> None:
        await service.add_line(
            db, user, account_name="Shop", realm=REALM, kind=LineKind.TRUNK, addresses=addresses
        )

    await add("pbx1", HERE, "tcp:203.0.113.20:5060")
    with pytest.raises(Refused, match=r"udp:203\.0\.113\.9:5060 belongs to line 'pbx1'"):
        await add("pbx2", HERE)
    with pytest.raises(Refused, match=r"tcp:203\.0\.113\.20:5099 belongs to line 'pbx1'"):
        await add("pbx2", "tcp:203.0.113.20:5099")
    await add("pbx2", "203.0.113.9:5062", "203.0.113.20:5060")
    with pytest.raises(Refused, match="belongs to line 'pbx1'"):
        await service.set_line(db, "pbx2", addresses=[HERE])
    insert = "INSERT INTO line_addresses VALUES ('pbx2', 7, $1, $2, $3)"
    for transport, host, port in (("udp", "203.0.113.9", 5060), ("tcp", "203.0.113.20", 1)):
        with pytest.raises(asyncpg.UniqueViolationError):
            await db.execute(insert, transport, ipaddress.ip_address(host), port)
    with pytest.raises(asyncpg.CheckViolationError):
        await db.execute(insert, "udp", ipaddress.ip_network("203.0.113.0/24"), 5060)
    await service.remove_line(db, "pbx1")
    await service.set_line(db, "pbx2", addresses=[HERE])


@pytest.mark.wire
@in_database
async def test_a_running_exchange_hears_of_addresses_that_come_and_go(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    await service.add_line(db, "pbx1", account_name="Shop", realm=REALM, kind=LineKind.TRUNK)
    async with db.acquire() as connection:
        position = Position.of_snapshot(await load_snapshot(connection, ""))
        for addresses in ([HERE], [HERE, "203.0.113.10:5060"], []):
            await service.set_line(db, "pbx1", addresses=addresses)
            changes = await read_changes(connection, position)
            assert changes is not None
            (change,) = changes.changes
            assert isinstance(change, LineChanged)
            assert change.line.addresses == check_line_addresses(addresses)
            position.advance(changes)
        # also what somebody writes by hand
        await connection.execute("INSERT INTO line_addresses VALUES ('pbx1', 0, 'udp', '203.0.113.77', 5060)")
        changes = await read_changes(connection, position)
        assert changes is not None
        assert isinstance(change := changes.changes[0], LineChanged)
        assert [str(address) for address in change.line.addresses] == ["udp:203.0.113.77:5060"]
        with pytest.raises(asyncpg.RestrictViolationError):
            await connection.execute("UPDATE line_addresses SET port = 1")


@pytest.mark.wire
def test_the_checkpoint_holds_them(dsn: str, tmp_path: Path) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        await add_prepaid(db)
        await service.add_line(
            db, "pbx1", account_name="Shop", realm=REALM, kind=LineKind.TRUNK, addresses=[HERE]
        )
        async with db.acquire() as connection:
            snapshot = await load_snapshot(connection, "")
        write_checkpoint(tmp_path / "checkpoint", snapshot)
        assert read_checkpoint(tmp_path / "checkpoint") == snapshot
        assert snapshot.lines[0].addresses == (LineAddress("udp", "203.0.113.9", 5060),)

    body(dsn)
