"""`offhook line registrations` against a real database, and what `offhook check` says of mails that nobody can send."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import msgspec
import pytest

from provisioning import service
from tests.billing.books import add_account
from tests.offhook.test_commands import Offhook, conf, offhook
from tests.postgres import PostgresServer, server
from tests.provisioning.test_registration_search import A, B, C, event, fill

__all__ = ["conf", "offhook"]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with server() as running:
        yield running


@pytest.fixture
def books(postgres: PostgresServer) -> Iterator[str]:
    """A line 1001 whose phone was lost for an hour yesterday; somebody guesses, and somebody misspells the name."""
    dsn = postgres.new_database()

    async def work() -> None:
        async with service.connect(dsn) as db:
            await add_account(db, name="Shop")
            await service.add_line(
                db, "1001", account_name="Shop", realm="offhook", password="correct-horse-7"
            )
            await _fill(db)

    asyncio.run(work())
    yield dsn
    postgres.drop_database(dsn)


async def _fill(db: asyncpg.Pool) -> None:
    now_ms = await db.fetchval("SELECT (extract(epoch FROM now()) * 1000)::bigint")
    hour, of_1001 = 3_600_000, {"line": "1001"}
    evil = event(now_ms - 10 * hour, "refused", C, agent="\x1b[31mevil", **of_1001)
    evil.reason = "wrong password"
    rewritten = event(now_ms - 23 * hour, "back", B, was=A, **of_1001)
    rewritten.contact = "sip:1001@192.168.1.5:5060"
    rewritten.via = "SIP/2.0/UDP 192.0.2.1:40000;rport;branch=z9hG4bK1"
    await fill(
        db,
        [
            event(now_ms - 48 * hour, "registered", **of_1001),
            event(now_ms - 24 * hour, "lost", **of_1001),
            event(now_ms - 24 * hour + 300_000, "offline", "", **of_1001),
            rewritten,
            event(now_ms - 23 * hour + 1, "online", "", **of_1001),
            msgspec.structs.replace(evil, count=7),
            msgspec.structs.replace(
                event(now_ms - hour, "refused", C, line="", claimed="10001"), reason="unknown user"
            ),
        ],
    )


def test_the_history_shows_spans_gaps_refused_logins_and_a_router_that_rewrites(
    offhook: Offhook, books: str
) -> None:
    ran = offhook("line", "registrations", "1001", "--dsn", books)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.split("\n")
    spans = lines[lines.index("", 1) + 1 :]
    assert spans[0].split() == ["FROM", "UNTIL", "FOR", "AT", "PHONE", "ENDED"]
    assert ["NOT REGISTERED" in line for line in spans[1:5]] == [True, False, True, False]
    assert "connection lost" in spans[2] and A in spans[2]
    assert "1:00:00" in spans[3]
    assert "now" in spans[4] and B in spans[4]
    assert "offline once" in ran.out
    assert "wrong password" in ran.out and "\x1b" not in ran.out and "\\x1b[31mevil" in ran.out
    assert "SIP ALG" in ran.out
    # the days asked for
    short = offhook("line", "registrations", "1001", "--days", 1, "--dsn", books)
    assert "not registered  never" not in short.out and "48" not in short.out


def test_as_json_every_event_has_its_names(offhook: Offhook, books: str) -> None:
    ran = offhook("line", "registrations", "1001", "--json", "--dsn", books)
    found = json.loads(ran.out)
    assert [span["ended_by"] for span in found["spans"]] == ["lost", ""]
    assert len(found["gaps"]) == 2 and found["is_line"] and not found["is_cut"]
    (refused,) = [each for each in found["events"] if each["event"] == "refused"]
    assert (refused["reason"], refused["count"]) == ("wrong password", 7)
    assert found["alg"]


def test_a_misspelt_name_is_found_among_the_strangers(offhook: Offhook, books: str) -> None:
    ran = offhook("line", "registrations", "10001", "--dsn", books)
    assert ran.code == 0 and "there is no line 10001" in ran.err
    assert "unknown user" in ran.out and "No phone has been registered." not in ran.out.split("NOT REG")[0]


def test_check_says_that_nobody_can_send_the_mail_that_a_line_asks_for(
    offhook: Offhook, books: str, conf: Path
) -> None:
    (conf / "billing.toml").unlink(missing_ok=True)
    assert "offline_mail" not in offhook("check", "--conf", conf, "--dsn", books).err
    assert offhook("line", "set", "1001", "offline_mail=not an address", "--dsn", books).code != 0
    ran = offhook("line", "set", "1001", "offline_mail=owner@example.com", "--dsn", books)
    assert ran.code == 0 and "offline_mail=owner@example.com" in ran.out
    ran = offhook("check", "--conf", conf, "--dsn", books)
    assert "line 1001 asks for a mail when offline (offline_mail)" in ran.err
