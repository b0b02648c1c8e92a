"""`offhook complaint` as somebody in the office types it."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

from offhook.supervisor.conf_home import packaged_conf
from tests.offhook.test_commands import Offhook, conf, offhook
from tests.postgres import PostgresServer, server

__all__ = ["conf", "offhook"]

pytestmark = pytest.mark.wire

SCHEME = """[scheme]
name = "Example Dispute Scheme"
website = "www.scheme.example.org"
telephone = "020 7946 0200"
"""
HOSTILE = "\x1b]0;gone\x07<b>"
TODAY = datetime.now(ZoneInfo("Europe/London")).date()
LONG_AGO = (TODAY - timedelta(weeks=7)).isoformat()


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with server() as running:
        yield running


@pytest.fixture
def dsn(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    fresh = postgres.new_database()
    monkeypatch.setenv("OFFHOOK_STAFF", "sam")
    monkeypatch.setenv("OFFHOOK_DSN", fresh)
    yield fresh
    postgres.drop_database(fresh)


@pytest.fixture
def office(conf: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with a seller and a scheme."""
    billing = (packaged_conf() / "billing.toml").read_text("utf-8")
    assert '\nname = ""\n' in billing
    (conf / "billing.toml").write_text(
        billing.replace('\nname = ""\n', '\nname = "Example Telephones Ltd"\n', 1), "utf-8"
    )
    shipped = (packaged_conf() / "complaints.toml").read_text("utf-8")
    head, _, tail = shipped.partition("[scheme]\n")
    (conf / "complaints.toml").write_text(
        head + SCHEME + "\n# Weeks" + tail.partition("\n# Weeks")[2], "utf-8"
    )
    monkeypatch.setenv("OFFHOOK_CONF", str(conf))
    return conf


def opened(offhook: Offhook, *words: str) -> str:
    ran = offhook("complaint", "open", "nobody rings back", *words)
    assert ran.code == 0, ran.err
    return ran.out.split()[1]


def test_m19_from_the_receipt_to_the_letter_that_the_daily_work_sends(
    offhook: Offhook, office: Path, dsn: str
) -> None:
    reference = opened(
        offhook,
        "--received",
        LONG_AGO,
        "--by",
        "letter",
        "--reporter",
        "A Customer",
        "--contact",
        "a@example.com",
    )
    (listed,) = json.loads(offhook("complaint", "list", "--json").out)
    assert listed["reference"] == reference
    assert listed["clock"]["letter_due_on"] == (TODAY - timedelta(weeks=1)).isoformat()
    assert listed["clock"]["is_letter_overdue"] is listed["clock"]["is_acknowledgement_overdue"] is True
    assert "OVERDUE" in offhook("complaint", "list").out
    assert offhook("complaint", "ack", reference, "by telephone").code == 0
    ran = offhook("bill", "due")
    assert f"complaints: {reference}: the letter is on its way (time-limit)" in ran.out
    assert reference not in offhook("bill", "due").out
    assert offhook("complaint", "list", "--overdue").out == "No complaint is overdue.\n"
    waits = offhook("complaint", "close", reference, "--as", "letter-sent")
    assert (waits.code, "waits to be sent" in waits.err) == (1, True)
    shown = offhook("complaint", "show", reference, "--why", "he rang").out
    for words in (
        reference,
        "nobody rings back",
        "by letter",
        "A Customer a@example.com",
        "(late)",
        "by mail (waits)",
    ):
        assert words in shown
    assert "Dear A Customer" not in shown
    printed = offhook("complaint", "letter", reference, "--print").out
    assert "Dear A Customer," in printed and "Example Dispute Scheme" in printed
    refused = offhook("complaint", "letter", reference)
    assert (refused.code, "sent already" in refused.err) == (1, True)
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE mails SET sent_at = now()")
    assert offhook("complaint", "close", reference, "--as", "letter-sent").code == 0
    assert offhook("complaint", "list").out == "No complaint.\n"
    assert reference in offhook("complaint", "list", "--state", "closed").out
    assert f"{reference} he rang" in offhook("looks", "list").out
    with psycopg.connect(dsn) as connection:
        (row,) = connection.execute("SELECT recipient FROM mails").fetchall()
    assert row == ("a@example.com",)


def test_what_is_due_first_comes_first(offhook: Offhook, office: Path) -> None:
    new = opened(offhook)
    old = opened(offhook, "--received", LONG_AGO)
    middle = opened(offhook, "--received", (TODAY - timedelta(weeks=5)).isoformat())
    for each in (old, middle, new):
        assert offhook("complaint", "ack", each).code == 0
    listed = json.loads(offhook("complaint", "list", "--json").out)
    assert [each["reference"] for each in listed] == [old, middle, new]
    assert [
        each["reference"] for each in json.loads(offhook("complaint", "list", "--overdue", "--json").out)
    ] == [old]
    assert len(json.loads(offhook("complaint", "list", "--json", "--limit", "2").out)) == 2


def test_a_deadlock_sends_the_letter_at_once(offhook: Offhook, office: Path) -> None:
    reference = opened(offhook, "--contact", "a@example.com")
    early = offhook("complaint", "deadlock", reference)
    assert (early.code, "before the customer was told the outcome" in early.err) == (1, True)
    early = offhook("complaint", "letter", reference)
    assert (early.code, "no letter before a deadlock" in early.err) == (1, True)
    assert offhook("complaint", "outcome", reference, "the bill is right").code == 0
    stuck = offhook("complaint", "deadlock", reference, "he is not content", "--json")
    assert stuck.code == 0 and stuck.err == ""
    assert json.loads(stuck.out)["letter_way"] == "mail"
    assert "called a deadlock" in offhook("complaint", "letter", reference, "--print").out


def test_who_has_no_address_gets_it_by_post(offhook: Offhook, office: Path) -> None:
    reference = opened(offhook, "--reporter", "A Customer", "--contact", "07700 900123")
    assert offhook("complaint", "outcome", reference, "no").code == 0
    stuck = offhook("complaint", "deadlock", reference)
    assert stuck.code == 0
    assert (
        "the letter is not sent" in stuck.err and f"offhook complaint letter {reference} --print" in stuck.err
    )
    printed = offhook("complaint", "letter", reference, "--print")
    assert printed.code == 0 and printed.out.startswith("A Customer\n")
    posted = offhook("complaint", "letter", reference, "--posted")
    assert posted.code == 0, posted.err
    assert "by post" in offhook("complaint", "show", reference).out
    assert offhook("complaint", "letter", reference, "--posted").code == 1


def test_without_a_scheme_it_is_said_and_nothing_is_sent(offhook: Offhook, office: Path, dsn: str) -> None:
    (office / "complaints.toml").unlink()
    ran = offhook("complaint", "open", "x", "--contact", "a@example.com", "--received", LONG_AGO)
    assert ran.code == 0 and "does not name your scheme" in ran.err
    reference = ran.out.split()[1]
    for words in (["letter", reference], ["letter", reference, "--print"], ["letter", reference, "--posted"]):
        ran = offhook("complaint", *words)
        assert (ran.code, "does not name your scheme" in ran.err) == (1, True)
    assert "IS NOT SENT: conf/complaints.toml does not name your scheme" in offhook("bill", "due").out
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT count(*) FROM mails").fetchall() == [(0,)]


def test_a_complaint_is_open_again(offhook: Offhook, office: Path) -> None:
    reference = opened(offhook)
    assert offhook("complaint", "close", reference, "--as", "resolved").code == 0
    assert offhook("complaint", "ack", reference).code == 1
    assert "open" in offhook("complaint", "note", reference, "he rang again", "--reopen").out
    assert offhook("complaint", "note", reference, "we look at it", "--told").code == 0
    shown = offhook("complaint", "show", reference).out
    assert "open again: he rang again" in shown and "told the customer: we look at it" in shown


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (2, ["open"]),
        (2, ["open", " "]),
        (2, ["open", HOSTILE]),
        (2, ["open", "x", "--reporter", HOSTILE]),
        (2, ["open", "x", "--received", "tomorrow"]),
        (2, ["open", "x", "--received", "2099-01-01"]),
        (2, ["open", "x", "--received", "2026-03-29T01:30"]),  # London's clocks never showed that
        (2, ["open", "x", "--by", "pigeon"]),
        (1, ["open", "x", "--account", "Nobody"]),
        (1, ["open", "x", "--fault", "F-22222"]),
        (2, ["open", "x", "--fault", "x"]),
        (2, ["open", "x", "--staff", " "]),
        (1, ["list", "--account", "Nobody"]),
        (2, ["list", "--state", "lost"]),
        (2, ["list", "--limit", "0"]),
        (2, ["show", "x"]),
        (2, ["show", "F-22222"]),
        (1, ["show", "C-22222"]),
        (1, ["note", "C-22222", "x"]),
        (2, ["note", "C-22222", "x", "--told", "--reopen"]),
        (1, ["ack", "C-22222"]),
        (2, ["ack", "C-22222", "--at", "soon"]),
        (1, ["letter", "C-22222"]),
        (2, ["letter", "C-22222", "--print", "--posted"]),
        (2, ["letter", "C-22222", "--at", "2026-06-01"]),
        (2, ["close", "C-22222"]),
        (2, ["close", "C-22222", "--as", "forgotten"]),
    ],
)
def test_what_cannot_be_is_said(offhook: Offhook, office: Path, code: int, words: list[str]) -> None:
    refused = offhook("complaint", *words)
    assert refused.code == code
    assert refused.err
    assert "\x1b" not in refused.err


def test_what_a_hand_has_put_into_the_table_moves_no_cursor(offhook: Offhook, office: Path, dsn: str) -> None:
    reference = opened(offhook, "--received", LONG_AGO)
    with psycopg.connect(dsn) as connection:
        connection.execute("UPDATE complaints SET words = %s, reporter = %s, contact = %s", [HOSTILE] * 3)
    for words in (["list"], ["show", reference], ["list", "--json"], ["letter", reference, "--print"]):
        ran = offhook("complaint", *words)
        assert ran.code == 0, ran.err
        assert "\x1b" not in ran.out and "\x07" not in ran.out


def test_a_mistake_in_complaints_toml_is_named(offhook: Offhook, office: Path) -> None:
    (office / "complaints.toml").write_text('[scheme]\nname = "A Scheme"\n', encoding="utf-8")
    for words in (["complaint", "list"], ["bill", "due"], ["check"]):
        ran = offhook(*words)
        assert ran.code == 2
        assert "complaints.toml" in ran.err and "a part of a scheme" in ran.err
    (office / "billing.toml").unlink()
    assert offhook("check").code == 2


@pytest.fixture
def new_york() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as zone:
        zone.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


def test_a_summer_morning_is_londons_wherever_the_machine_is(
    offhook: Offhook, office: Path, new_york: None
) -> None:
    reference = opened(offhook, "--received", "2026-06-01T09:00")
    shown = json.loads(offhook("complaint", "show", reference, "--json").out)
    assert (
        datetime.fromtimestamp(shown["received_at_ms"] / 1000, UTC).isoformat() == "2026-06-01T08:00:00+00:00"
    )
    acknowledge_by = datetime.fromtimestamp(shown["clock"]["acknowledge_by_ms"] / 1000, UTC)
    assert acknowledge_by.isoformat() == "2026-06-03T15:00:00+00:00"
    words = offhook("complaint", "show", reference).out
    assert "2026-06-01 09:00 by phone" in words and "2026-06-03 16:00 (OVERDUE)" in words
    by_day = opened(offhook, "--received", "2026-06-01")
    assert "2026-06-01 by phone" in offhook("complaint", "show", by_day).out
