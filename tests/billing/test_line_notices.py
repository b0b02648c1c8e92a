"""Mails about lines that are offline, back or flapping: once each, to whom the line names, by a real mail server."""

from datetime import UTC, datetime

import asyncpg
import msgspec

from billing.conf import MailSettings
from billing.customers import set_customer
from billing.line_notices import OUTAGES_PER_DAY_MAX, tell_of_lines
from billing.mail_sender import send_next
from provisioning import service
from tests.billing.books import CONF, add_account
from tests.billing.test_mail_sender import Mailbox, no_pdf, with_mailbox
from tests.provisioning.databases import in_database
from tests.provisioning.test_registration_search import event, fill


async def add_line(db: asyncpg.Pool, user: str, offline_mail: str, account: str = "Shop") -> None:
    await service.add_line(db, user, account_name=account, realm="offhook", password="correct-horse-7")
    await service.set_line(db, user, settings=[f"offline_mail={offline_mail}"])


async def now_ms(db: asyncpg.Pool) -> int:
    found: int = await db.fetchval("SELECT (extract(epoch FROM now()) * 1000)::bigint")
    return found


async def mails(db: asyncpg.Pool) -> list[tuple[str, str]]:
    return [tuple(row) for row in await db.fetch("SELECT recipient, subject FROM mails ORDER BY id")]


def test_a_customer_hears_once_that_his_line_is_offline_and_once_that_it_is_back(dsn: str) -> None:
    async def body(db: asyncpg.Pool, mailbox: Mailbox, mail: MailSettings) -> None:
        conf = msgspec.structs.replace(CONF, mail=mail)
        await add_account(db, name="Shop")
        await add_line(db, "1001", "owner@example.com")
        at_ms = await now_ms(db)
        await fill(db, [event(at_ms - 60_000, "offline", "", line="1001")])
        assert await tell_of_lines(db, conf) == ["line 1001 is offline"]
        assert await tell_of_lines(db, conf) == []
        await fill(db, [event(at_ms - 30_000, "online", "", line="1001")])
        assert await tell_of_lines(db, conf) == ["line 1001 is online"]
        while await send_next(db, conf.mail, no_pdf):
            pass
        assert [message["To"] for message in mailbox.messages] == ["owner@example.com"] * 2
        assert [message["Subject"] for message in mailbox.messages] == [
            "Line 1001 is offline",
            "Line 1001 is back",
        ]
        text = mailbox.messages[0].get_content()
        assert "no phone of your line 1001" in text and "Example Telephones Ltd" in text
        assert str(datetime.now(UTC).year) in mailbox.messages[1].get_content()

    with_mailbox(dsn, body)


@in_database
async def test_only_lines_that_ask_for_it_are_told(db: asyncpg.Pool) -> None:
    await add_account(db, name="Shop")
    await add_account(db, name="Quiet")
    await set_customer(db, "Shop", company="Sample Shop Ltd", email="shop@example.com")
    await add_line(db, "1001", "customer")
    await add_line(db, "1002", "")
    await add_line(db, "1003", "customer", account="Quiet")  # nobody knows its address
    at_ms = await now_ms(db)
    await fill(
        db, [event(at_ms - 1000, "offline", "", line=line) for line in ("1001", "1002", "1003", "gone")]
    )
    await tell_of_lines(db, CONF)
    assert await mails(db) == [("shop@example.com", "Line 1001 is offline")]
    text = await db.fetchval("SELECT body FROM mails")
    assert text.startswith("Dear Sample Shop Ltd,\n")


@in_database
async def test_nobody_hears_that_a_line_is_back_who_did_not_hear_that_it_was_offline(
    db: asyncpg.Pool,
) -> None:
    await add_account(db, name="Shop")
    await add_line(db, "1001", "owner@example.com")
    at_ms = await now_ms(db)
    await fill(
        db,
        [
            event(at_ms - 7 * 3_600_000, "offline", "", line="1001"),  # old news
            event(at_ms - 1000, "online", "", line="1001"),
        ],
    )
    await tell_of_lines(db, CONF)
    assert await mails(db) == []


@in_database
async def test_flapping_is_told_and_mails_of_a_day_are_bounded(db: asyncpg.Pool) -> None:
    await add_account(db, name="Shop")
    await add_line(db, "1001", "owner@example.com")
    at_ms = await now_ms(db)
    await fill(db, [event(at_ms - 1000, "flapping", "", line="1001")])
    await fill(
        db,
        [
            event(at_ms - 300_000 * (turn + 1), "offline", "", line="1001")
            for turn in range(OUTAGES_PER_DAY_MAX + 5)
        ],
    )
    await tell_of_lines(db, CONF)
    subjects = [subject for _, subject in await mails(db)]
    assert subjects.count("Line 1001 is offline") == OUTAGES_PER_DAY_MAX
    assert subjects.count("Line 1001 keeps dropping off") == 1
