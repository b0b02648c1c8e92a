"""Mails are queued once, and hold nothing that could leave its place."""

import asyncpg
import pytest

from billing.mail import Attachment, queue_mail
from provisioning.problems import InvalidValue
from tests.provisioning.databases import in_database


@in_database
async def test_a_mail_is_queued_once_for_its_key(db: asyncpg.Pool) -> None:
    attachment = Attachment("terms.pdf", content=b"%PDF")
    for is_new in (True, False):
        queued = await queue_mail(
            db, key="x/1", to="a@example.com", subject="One", text="Two\n", attachments=[attachment]
        )
        assert queued is is_new
    assert await db.fetchval("SELECT count(*) FROM mails") == 1
    assert await db.fetchval("SELECT content FROM mail_attachments") == b"%PDF"


@in_database
async def test_a_subject_is_one_line_whatever_stands_in_it(db: asyncpg.Pool) -> None:
    await queue_mail(db, key="x", to="a@example.com", subject="Hello\r\nBcc: b@example.com\0", text="a\0b")
    row = await db.fetchrow("SELECT subject, body FROM mails")
    assert tuple(row) == ("Hello  Bcc: b@example.com ", "ab")


@pytest.mark.parametrize(
    ("to", "attachment"),
    [
        ("a@example.com\nBcc: b@example.com", Attachment("a.pdf", content=b"x")),
        ("a@example.com", Attachment("../a.pdf", content=b"x")),
        ("a@example.com", Attachment("a.pdf")),
        ("a@example.com", Attachment("a.pdf", "text/html\r\nX: y", content=b"x")),
        ("a@example.com", Attachment("a.pdf", content=b"x" * 7_000_001)),
    ],
)
def test_what_is_no_mail_is_refused(to: str, attachment: Attachment) -> None:
    with pytest.raises(InvalidValue):
        queue_mail(None, key="x", to=to, subject="", text="", attachments=[attachment]).send(None)
