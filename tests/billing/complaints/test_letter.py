"""The letter about the scheme: sent by the daily work where it is due, once, and said where it cannot be."""

import asyncio
import datetime
import shutil
from datetime import UTC
from pathlib import Path

import asyncpg
import msgspec
import pytest

from billing.complaints import letter as letters
from billing.complaints.conf import ComplaintsConf, Scheme
from billing.complaints.due import ComplaintCounts, count_complaints, run_due
from billing.complaints.letter import letter_to_print, mail_letter, note_posted
from billing.conf import MailSettings, Seller
from billing.counts import BillingCollector, BillingCounts
from billing.customers import CustomerKind, set_customer
from billing.due import areas
from billing.mail_sender import send_next
from billing.process import BillingProcess, load
from offhook.supervisor.conf_home import packaged_conf
from provisioning import complaints
from provisioning.complaints import (
    ComplaintDetails,
    ComplaintState,
    Ending,
    LetterWay,
    NewComplaint,
    entry,
    store,
)
from provisioning.problems import InvalidValue, Refused
from tests.billing.books import CONF, add_account
from tests.billing.test_mail_sender import Mailbox, no_pdf, with_mailbox
from tests.provisioning.databases import in_database

SCHEME = Scheme(
    "Example Dispute Scheme",
    "www.scheme.example.org",
    "020 7946 0200",
    ("PO Box 1", "Exampletown", "EX1 1EX"),
)
WITH_SCHEME = ComplaintsConf(scheme=SCHEME)
RECEIVED = datetime.datetime(2026, 6, 1, 8, tzinfo=UTC)
DUE = datetime.date(2026, 7, 13)
DAY = datetime.timedelta(1)
AT_DUE = datetime.datetime(2026, 7, 13, 12, tzinfo=UTC)


async def opened(db: asyncpg.Pool, contact: str = "customer@example.com", **facts: object) -> str:
    new = NewComplaint(
        **{"words": "x", "reporter": "A Customer", "contact": contact, "received_at": RECEIVED, **facts}  # type: ignore[arg-type]
    )
    return (await complaints.open_complaint(db, new, staff="sam", now=AT_DUE)).complaint.reference


async def acknowledged(db: asyncpg.Pool, contact: str = "customer@example.com", **facts: object) -> str:
    """The same, and somebody has said that it came."""
    reference = await opened(db, contact, **facts)
    await complaints.add(db, reference, entry.acknowledged(), staff="sam", now=AT_DUE)
    return reference


async def work(db: asyncpg.Pool, today: datetime.date, conf: ComplaintsConf = WITH_SCHEME) -> list[str]:
    return await run_due(db, CONF, today, complaints=conf)


async def shown(db: asyncpg.Pool, reference: str) -> ComplaintDetails:
    return await complaints.find_complaint(db, reference)


async def mails(db: asyncpg.Pool) -> list[asyncpg.Record]:
    return await db.fetch("SELECT key, recipient, subject, body FROM mails ORDER BY id")  # type: ignore[no-any-return]


def test_v7_the_letter_goes_out_once_on_the_day_on_which_the_time_is_reached(dsn: str) -> None:
    async def body(db: asyncpg.Pool, mailbox: Mailbox, mail: MailSettings) -> None:
        reference = await acknowledged(db)
        assert await work(db, DUE - DAY) == []
        assert await work(db, DUE) == [f"{reference}: the letter is on its way (time-limit)"]
        assert await work(db, DUE) == []
        while await send_next(db, mail, no_pdf):
            pass
        assert await work(db, DUE + 30 * DAY) == []
        (message,) = mailbox.messages
        assert message["To"] == "customer@example.com"
        assert message["Subject"] == f"Your complaint {reference}: your right to an independent decision"
        text = message.get_content().replace("\r\n", "\n")
        for words in (
            "Dear A Customer,",
            "on 1 June 2026 you complained to us",
            "has not been resolved",
            "it does not cost you anything",
            "    Example Dispute Scheme\n    Website: www.scheme.example.org\n    Telephone: 020 7946 0200\n"
            "    Post: PO Box 1\n          Exampletown\n          EX1 1EX\n",
            "within twelve months from the date of this letter, so by 13 July 2027",
            reference,
            "Date: 13 July 2026",
            "Example Telephones Ltd",
        ):
            assert words in text
        assert "deadlock" not in text
        found = await shown(db, reference)
        assert (found.complaint.letter_on, found.complaint.letter_way) == (DUE, LetterWay.MAIL)
        assert (found.complaint.mail_state, found.complaint.state) == ("sent", ComplaintState.OPEN)
        assert found.events[-1].words.strip() == text.strip()  # what went out is on record

    with_mailbox(dsn, body)


@in_database
async def test_two_runs_at_once_send_one_letter(db: asyncpg.Pool) -> None:
    await acknowledged(db)
    said = await asyncio.gather(*(work(db, DUE) for _ in range(4)))
    assert sorted(map(len, said)) == [0, 0, 0, 1]  # and who came too late says nothing
    assert len(await mails(db)) == 1


def test_a_run_that_breaks_off_between_mail_and_record_neither_loses_nor_repeats_it(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        reference = await acknowledged(db)
        with monkeypatch.context() as patch:

            async def killed(*_: object, **__: object) -> None:
                raise RuntimeError

            patch.setattr(letters, "add_within", killed)
            (line,) = await work(db, DUE)
            assert "could not be made" in line
        assert await mails(db) == []
        assert await work(db, DUE) == [f"{reference}: the letter is on its way (time-limit)"]
        assert len(await mails(db)) == 1

    body(dsn)


@in_database
async def test_one_that_fails_does_not_keep_the_others_from_their_letters(db: asyncpg.Pool) -> None:
    without = await acknowledged(db, contact="07700 900123")
    with_address = await acknowledged(db)
    lines = await work(db, DUE)
    assert len(lines) == 2
    assert lines[0].startswith(
        f"{without}: THE LETTER WAS DUE ON 2026-07-13 AND IS NOT SENT: there is no e-mail"
    )
    assert f"offhook complaint letter {without} --print" in lines[0]
    assert lines[1] == f"{with_address}: the letter is on its way (time-limit)"


@in_database
async def test_mc6_at_a_deadlock_it_goes_out_before_the_time(db: asyncpg.Pool) -> None:
    reference = await opened(db)
    stuck_at = datetime.datetime(2026, 6, 20, 12, tzinfo=UTC)
    await complaints.add(
        db, reference, entry.outcome("no", stuck_at), entry.deadlock("", stuck_at), staff="sam", now=AT_DUE
    )
    assert await work(db, datetime.date(2026, 6, 20)) == [f"{reference}: the letter is on its way (deadlock)"]
    ((_, _, _, text),) = await mails(db)
    assert "reached what is called a deadlock" in text
    assert "so by 20 June 2027" in text


@in_database
async def test_who_was_told_the_outcome_and_said_nothing_gets_it_in_time_too(db: asyncpg.Pool) -> None:
    reference = await opened(db)
    await complaints.add(db, reference, entry.outcome("sorry"), staff="sam", now=AT_DUE)
    assert await work(db, DUE) == [f"{reference}: the letter is on its way (time-limit)"]


@in_database
async def test_nobody_gets_it_whose_complaint_is_closed_or_who_has_no_right_to_a_scheme(
    db: asyncpg.Pool,
) -> None:
    closed = await opened(db)
    await complaints.add(db, closed, entry.closed(Ending.RESOLVED), staff="sam", now=AT_DUE)
    await add_account(db, name="Works")
    await set_customer(db, "Works", kind=CustomerKind.BUSINESS, email="works@example.com")
    business = await acknowledged(db, account="Works")
    assert await work(db, DUE) == []
    for reference in (closed, business):
        with pytest.raises(Refused):
            await mail_letter(db, reference, WITH_SCHEME, CONF.seller, staff="sam", on=DUE)
    await add_account(db, name="Shop")
    await set_customer(db, "Shop", kind=CustomerKind.SMALL_BUSINESS, email="shop@example.com")
    small = await acknowledged(db, "07700 900123", account="Shop")
    assert await work(db, DUE) == [f"{small}: the letter is on its way (time-limit)"]
    assert [each["recipient"] for each in await mails(db)] == ["shop@example.com"]


@in_database
async def test_without_a_scheme_nothing_is_sent_and_it_is_said_each_day(db: asyncpg.Pool) -> None:
    reference = await acknowledged(db)
    for day in (DUE, DUE + DAY):
        (line,) = await work(db, day, ComplaintsConf())
        assert reference in line and "conf/complaints.toml does not name your scheme" in line
    assert await mails(db) == []
    assert await work(db, DUE + DAY) == [f"{reference}: the letter is on its way (time-limit)"]


@in_database
async def test_a_complaint_that_nobody_has_acknowledged_is_said(db: asyncpg.Pool) -> None:
    reference = await opened(db)  # received on a Monday at nine: by Wednesday at four
    assert await work(db, datetime.date(2026, 6, 3)) == []
    assert await work(db, datetime.date(2026, 6, 4)) == [f"{reference}: nobody has acknowledged it"]


@in_database
async def test_the_letter_is_posted_to_whom_has_no_address_and_bears_the_day_on_which_it_was(
    db: asyncpg.Pool,
) -> None:
    reference = await acknowledged(db, contact="")
    with pytest.raises(Refused, match="no letter before a deadlock, or 2026-07-13"):
        await letter_to_print(db, reference, WITH_SCHEME, CONF.seller, DUE - DAY)
    printed = await letter_to_print(db, reference, WITH_SCHEME, CONF.seller, DUE)
    assert "Date: 13 July 2026" in printed.text
    assert (await shown(db, reference)).complaint.letter_on is None  # printing is not posting
    tomorrow = datetime.datetime.now(UTC) + DAY
    for refused_at in (tomorrow, RECEIVED + 10 * DAY):
        with pytest.raises((InvalidValue, Refused)):
            await note_posted(db, reference, WITH_SCHEME, CONF.seller, staff="sam", at=refused_at)
    posted_at = datetime.datetime(2026, 7, 13, 9, tzinfo=UTC)
    await note_posted(db, reference, WITH_SCHEME, CONF.seller, staff="sam", at=posted_at)
    complaint = (await shown(db, reference)).complaint
    assert (complaint.letter_on, complaint.letter_way) == (DUE, LetterWay.POST)
    assert await work(db, DUE + DAY) == []
    with pytest.raises(Refused, match="sent already"):
        await note_posted(db, reference, WITH_SCHEME, CONF.seller, staff="sam", at=posted_at)
    again = await letter_to_print(db, reference, ComplaintsConf(), CONF.seller, DUE + 100 * DAY)
    assert again.text == printed.text


def test_a_mail_that_no_server_takes_is_no_letter(dsn: str) -> None:
    async def body(db: asyncpg.Pool, mailbox: Mailbox, mail: MailSettings) -> None:
        reference = await acknowledged(db)
        await work(db, DUE)
        assert (await shown(db, reference)).complaint.mail_state == "waits"
        mailbox.recipient_answer = "550 no such mailbox"
        while await send_next(db, mail, no_pdf):
            pass
        assert (await shown(db, reference)).complaint.mail_state == "given-up"
        (line,) = await work(db, DUE + DAY)
        assert "no server took the letter's mail" in line
        counts = await count_complaints(db, WITH_SCHEME, AT_DUE + DAY)
        assert counts == ComplaintCounts(open=1, letters_overdue=1)
        await note_posted(db, reference, WITH_SCHEME, CONF.seller, staff="sam", at=AT_DUE + DAY)
        assert await work(db, DUE + 2 * DAY) == []

    with_mailbox(dsn, body)


@pytest.mark.parametrize("name", ["{{ 7 * 7 }}", "Bcc: everybody@example.com", "<script>", "' OR 1 --"])
def test_a_name_is_a_name_in_the_letter_whatever_it_is(dsn: str, name: str) -> None:
    async def body(db: asyncpg.Pool, mailbox: Mailbox, mail: MailSettings) -> None:
        await acknowledged(db, reporter=name)
        await work(db, DUE)
        while await send_next(db, mail, no_pdf):
            pass
        (message,) = mailbox.messages
        assert message["To"] == "customer@example.com"
        assert f"Dear {name}," in message.get_content()

    with_mailbox(dsn, body)


@pytest.mark.parametrize("contact", ["a@example.com\nBcc: b@example.com", "a@example.com, b@example.com"])
def test_what_is_no_one_address_is_never_mailed_to(dsn: str, contact: str) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        if "\n" in contact:
            with pytest.raises(InvalidValue):
                await opened(db, contact)
        else:
            await acknowledged(db, contact)
            (line,) = await work(db, DUE)
            assert "there is no e-mail address" in line
        assert await mails(db) == []

    body(dsn)


@in_database
async def test_a_letter_whose_mail_still_waits_on_the_next_day_has_not_gone_out(db: asyncpg.Pool) -> None:
    reference = await acknowledged(db)
    await work(db, DUE)
    assert await count_complaints(db, WITH_SCHEME, AT_DUE) == ComplaintCounts(1, 0, 0)
    assert await work(db, DUE + DAY) == [
        f"{reference}: the letter of 2026-07-13 still waits to be sent: `offhook bill mails`"
    ]
    assert await count_complaints(db, WITH_SCHEME, AT_DUE + DAY) == ComplaintCounts(1, 0, 1)
    with pytest.raises(Refused, match="waits to be sent"):
        await complaints.add(db, reference, entry.closed(Ending.LETTER_SENT), staff="sam")
    await db.execute("UPDATE mails SET sent_at = now()")
    assert await work(db, DUE + DAY) == []
    await complaints.add(db, reference, entry.closed(Ending.LETTER_SENT), staff="sam")
    assert len(await mails(db)) == 1


@in_database
async def test_another_offer_ends_a_deadlock_and_the_letter_waits_for_its_time(db: asyncpg.Pool) -> None:
    reference = await opened(db)
    at = datetime.datetime(2026, 6, 20, 12, tzinfo=UTC)
    for each in (entry.outcome("no", at), entry.deadlock("", at), entry.outcome("yes", at)):
        await complaints.add(db, reference, each, staff="sam", now=AT_DUE)
    assert (await shown(db, reference)).complaint.deadlock_at_ms is None
    assert await work(db, DUE - DAY) == []
    assert await work(db, DUE) == [f"{reference}: the letter is on its way (time-limit)"]


@in_database
async def test_no_letter_is_posted_before_the_deadlock_that_it_tells_of(db: asyncpg.Pool) -> None:
    reference = await opened(db)
    at = datetime.datetime(2026, 6, 20, 12, tzinfo=UTC)
    for each in (entry.outcome("no", at), entry.deadlock("", at)):
        await complaints.add(db, reference, each, staff="sam", now=AT_DUE)
    with pytest.raises(Refused, match="no letter before"):
        await note_posted(db, reference, WITH_SCHEME, CONF.seller, staff="sam", at=at - DAY)
    await note_posted(db, reference, WITH_SCHEME, CONF.seller, staff="sam", at=at)


def test_a_complaint_with_as_many_notes_as_it_may_have_gets_its_letter(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        reference = await acknowledged(db)
        monkeypatch.setattr(store, "EVENTS_MAX", 1)
        with pytest.raises(Refused, match="open another"):
            await complaints.add(db, reference, entry.note("x"), staff="sam")
        assert await work(db, DUE) == [f"{reference}: the letter is on its way (time-limit)"]

    body(dsn)


@in_database
async def test_nobody_who_has_no_name_writes_letters(db: asyncpg.Pool) -> None:
    await acknowledged(db)
    nameless = msgspec.structs.replace(CONF, seller=Seller())
    (line,) = await run_due(db, nameless, DUE, complaints=WITH_SCHEME)
    assert "billing.toml does not say who writes the letter" in line
    assert await mails(db) == []


@in_database
async def test_old_records_go_with_the_daily_work(db: asyncpg.Pool) -> None:
    reference = await opened(db)
    await complaints.add(db, reference, entry.closed(Ending.WITHDRAWN), staff="sam", now=AT_DUE)
    keeping = msgspec.structs.replace(
        WITH_SCHEME, records=msgspec.structs.replace(WITH_SCHEME.records, keep_months=12)
    )
    assert await work(db, datetime.date(2027, 7, 13)) == []
    assert await work(db, datetime.date(2027, 7, 12), keeping) == []
    assert await work(db, datetime.date(2027, 7, 13), keeping) == [
        f"{reference}: closed long ago, its record is removed"
    ]
    with pytest.raises(Refused):
        await shown(db, reference)


@in_database
async def test_what_is_open_and_overdue_is_counted(db: asyncpg.Pool) -> None:
    await opened(db)
    await acknowledged(db, "07700 900123")
    await complaints.add(db, await opened(db), entry.closed(Ending.RESOLVED), staff="sam", now=AT_DUE)

    async def at(day: int, hour: int) -> ComplaintCounts:
        now = datetime.datetime(2026, 6, 1, tzinfo=UTC) + datetime.timedelta(days=day, hours=hour)
        return await count_complaints(db, WITH_SCHEME, now)

    assert await at(2, 15) == ComplaintCounts(2, 0, 0)  # four in the afternoon in London, not a second later
    assert await at(2, 16) == ComplaintCounts(2, 1, 0)
    assert await at(42, 22) == ComplaintCounts(2, 1, 0)  # 13 July, 23:00 in London
    assert await at(42, 23) == ComplaintCounts(2, 1, 2)


def test_what_is_counted_can_be_read() -> None:
    counts = BillingCounts()
    counts.complaints = ComplaintCounts(3, 2, 1)
    found = {
        (sample.name, tuple(sample.labels.values())): sample.value
        for metric in BillingCollector(counts).collect()
        for sample in metric.samples
    }
    assert found["offhook_complaints_open", ()] == 3
    assert found["offhook_complaints_overdue", ("acknowledgement",)] == 2
    assert found["offhook_complaints_overdue", ("letter",)] == 1


@in_database
async def test_it_is_part_of_the_daily_work_of_all(db: asyncpg.Pool) -> None:
    reference = await acknowledged(db)
    run = dict(areas({}, WITH_SCHEME))["complaints"]
    assert await run(db, CONF, DUE) == [f"{reference}: the letter is on its way (time-limit)"]


def test_the_process_reads_the_file_anew_does_the_work_and_counts(dsn: str, tmp_path: Path) -> None:
    shutil.copy(packaged_conf() / "billing.toml", tmp_path)
    before = load(tmp_path)
    assert before.complaints == ComplaintsConf()
    (tmp_path / "complaints.toml").write_text("[[letter]]\nfrom = 2000-01-01\nweeks = 1\n", encoding="utf-8")
    loaded = load(tmp_path)
    assert loaded.fingerprint != before.fingerprint
    assert [each.weeks for each in loaded.complaints.limits] == [1]

    @in_database
    async def body(db: asyncpg.Pool) -> None:
        reference = await acknowledged(db)
        conf = msgspec.structs.replace(loaded.complaints, scheme=SCHEME)
        process = BillingProcess(
            dsn=dsn,
            conf_dir=tmp_path,
            control_socket=tmp_path / "none",
            loaded=msgspec.structs.replace(loaded, conf=CONF, complaints=conf),
        )
        process._db = db
        await process._count_waiting()
        assert process.counts.complaints == ComplaintCounts(1, 0, 1)
        await process.run_due(RECEIVED.date() + 7 * DAY)
        assert process.counts.due_failures == 0
        assert (await shown(db, reference)).complaint.letter_way is LetterWay.MAIL
        await db.execute("UPDATE mails SET sent_at = now()")
        await process._count_waiting()
        assert process.counts.complaints == ComplaintCounts(1, 0, 0)

    body(dsn)
