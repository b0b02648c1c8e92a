"""A complaint in the books, from its receipt to its close and the end of its record."""

import datetime
from datetime import UTC, timedelta

import asyncpg
import pytest

from billing.customers import CustomerKind, set_customer
from care import faults
from provisioning import complaints
from provisioning.complaints import Channel, ComplaintState, Ending, LetterWay, NewComplaint, entry
from provisioning.complaints.reference import new_reference, read_reference
from provisioning.problems import InvalidValue, Refused
from provisioning.utc import ms_from_time
from tests.provisioning.databases import add_prepaid, in_database

pytestmark = pytest.mark.wire

NOW = datetime.datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
RECEIVED = datetime.datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
ABOUT_A_BILL = NewComplaint(
    words="the bill is wrong\nand nobody rings back", reporter="A Customer", contact="customer@example.com",
    account="shop", channel=Channel.LETTER, received_at=RECEIVED,
)  # fmt: skip


async def opened(db: asyncpg.Pool, new: NewComplaint = ABOUT_A_BILL) -> str:
    return (await complaints.open_complaint(db, new, staff="sam", now=NOW)).complaint.reference


@in_database
async def test_mc2_a_complaint_gets_a_reference_of_its_own_and_counts_from_its_receipt(
    db: asyncpg.Pool,
) -> None:
    await add_prepaid(db)
    reference = await opened(db)
    assert reference.startswith("C-") and len(reference) == 7
    (found,) = await complaints.list_complaints(db)
    assert found == await complaints.find_complaint(db, reference.lower().replace("-", " "))
    complaint = found.complaint
    assert (complaint.account, complaint.state, complaint.channel) == (
        "Shop",
        ComplaintState.OPEN,
        Channel.LETTER,
    )
    assert complaint.received_at_ms == ms_from_time(RECEIVED)
    assert (complaint.email, complaint.addressee) == ("customer@example.com", "A Customer")


@in_database
async def test_an_unknown_customer_may_complain_and_has_every_right(db: asyncpg.Pool) -> None:
    reference = await opened(db, NewComplaint(words="you keep ringing me", contact="07700 900123"))
    complaint = (await complaints.find_complaint(db, reference)).complaint
    assert (complaint.account, complaint.account_id, complaint.email) == ("", None, "")
    assert complaint.has_adr


@in_database
async def test_it_may_name_a_fault_whose_account_it_has(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    fault = (await faults.open_fault(db, faults.NewFault(account="Shop"), staff="sam")).fault.reference
    reference = await opened(db, NewComplaint(words="still not mended", fault=fault.lower()))
    complaint = (await complaints.find_complaint(db, reference)).complaint
    assert (complaint.fault, complaint.account) == (fault, "Shop")
    assert complaint.addressee == ""


@in_database
async def test_the_customer_of_the_account_is_whom_and_where_the_letter_is_to(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    await set_customer(
        db, "Shop", company="Shop Ltd", email="office@example.com", kind=CustomerKind.SMALL_BUSINESS
    )
    reference = await opened(db, NewComplaint(words="x", account="Shop", contact="07700 900123"))
    complaint = (await complaints.find_complaint(db, reference)).complaint
    assert (complaint.email, complaint.addressee, complaint.has_adr) == (
        "office@example.com",
        "Shop Ltd",
        True,
    )


@in_database
async def test_from_the_acknowledgement_to_deadlock_and_letter(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    reference = await opened(db)

    async def add(*entries: entry.Entry) -> complaints.ComplaintDetails:
        return await complaints.add(db, reference, *entries, staff="sam", now=NOW)

    rung = RECEIVED + timedelta(hours=2)
    acknowledged = await add(entry.acknowledged("by telephone", rung))
    assert acknowledged.complaint.acknowledged_at_ms == ms_from_time(rung)
    for problem, early in (
        ("acknowledged already", entry.acknowledged()),
        ("before the customer was told the outcome", entry.deadlock()),
        ("letter was not sent", entry.closed(Ending.LETTER_SENT)),
        ("more than ten people", entry.closed(Ending.FINAL)),
        ("open already", entry.reopened("again")),
    ):
        with pytest.raises(Refused, match=problem):
            await add(early)
    told = await add(entry.outcome("the bill is right"))
    assert (told.complaint.state, told.complaint.acknowledged_at_ms) == (
        ComplaintState.OUTCOME_TOLD,
        ms_from_time(rung),
    )
    stuck = await add(entry.deadlock("he is not content"))
    assert (stuck.complaint.state, stuck.complaint.deadlock_at_ms) == (
        ComplaintState.DEADLOCK,
        ms_from_time(NOW),
    )
    sent = await add(entry.letter(LetterWay.POST, "Dear customer", NOW.date()))
    assert (sent.complaint.letter_on, sent.complaint.letter_way) == (NOW.date(), LetterWay.POST)
    with pytest.raises(Refused, match="sent already"):
        await add(entry.letter(LetterWay.POST, "Dear customer", NOW.date()))
    done = await add(entry.closed(Ending.LETTER_SENT))
    assert (done.complaint.state, done.complaint.ending) == (ComplaintState.CLOSED, Ending.LETTER_SENT)
    assert await complaints.list_complaints(db) == []
    for late in (entry.acknowledged(), entry.outcome("x"), entry.deadlock(), entry.closed(Ending.RESOLVED)):
        with pytest.raises(Refused, match="it is closed"):
            await add(late)
    assert [each.event.value for each in done.events] == [
        "acknowledged",
        "outcome",
        "deadlock",
        "letter",
        "closed",
    ]


@in_database
async def test_who_is_told_the_outcome_has_been_answered(db: asyncpg.Pool) -> None:
    reference = await opened(db, NewComplaint(words="x"))
    told = await complaints.add(db, reference, entry.outcome("sorry"), staff="sam", now=NOW)
    assert told.complaint.acknowledged_at_ms == told.complaint.outcome_at_ms == ms_from_time(NOW)


@in_database
async def test_a_closed_complaint_is_open_again_when_the_customer_says_so(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    reference = await opened(db)
    await complaints.add(db, reference, entry.closed(Ending.RESOLVED), staff="sam", now=NOW)
    again = await complaints.add(db, reference, entry.reopened("he rang"), staff="sam", now=NOW)
    assert (again.complaint.state, again.complaint.closed_at_ms, again.complaint.ending) == (
        ComplaintState.OPEN,
        None,
        None,
    )
    assert again.complaint.received_at_ms == ms_from_time(RECEIVED)


@in_database
async def test_n23_a_business_of_more_than_ten_people_has_the_last_word_instead_of_a_letter(
    db: asyncpg.Pool,
) -> None:
    await add_prepaid(db)
    await set_customer(db, "Shop", kind=CustomerKind.BUSINESS)
    reference = await opened(db)
    with pytest.raises(Refused, match="no right to the letter"):
        letter = entry.letter(LetterWay.POST, "x", NOW.date())
        await complaints.add(db, reference, letter, staff="sam", now=NOW)
    with pytest.raises(Refused, match="not told the outcome"):
        await complaints.add(db, reference, entry.closed(Ending.FINAL), staff="sam", now=NOW)
    done = await complaints.add(
        db, reference, entry.outcome("no"), entry.closed(Ending.FINAL), staff="sam", now=NOW
    )
    assert done.complaint.ending is Ending.FINAL


@in_database
async def test_what_is_recorded_together_is_recorded_whole_or_not_at_all(db: asyncpg.Pool) -> None:
    reference = await opened(db, NewComplaint(words="x"))
    with pytest.raises(Refused):
        await complaints.add(
            db, reference, entry.note("a note"), entry.closed(Ending.LETTER_SENT), staff="sam", now=NOW
        )
    assert (await complaints.find_complaint(db, reference)).events == []


@pytest.mark.parametrize("when", [RECEIVED - timedelta(seconds=1), NOW + timedelta(seconds=1)])
def test_nothing_is_done_before_the_receipt_or_tomorrow(dsn: str, when: datetime.datetime) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        await add_prepaid(db)
        reference = await opened(db)
        for each in (entry.acknowledged(done_at=when), entry.outcome("x", when)):
            with pytest.raises(InvalidValue):
                await complaints.add(db, reference, each, staff="sam", now=NOW)

    body(dsn)


@pytest.mark.parametrize(
    "new",
    [
        NewComplaint(words=""),
        NewComplaint(words=" \n "),
        NewComplaint(words="a\x1b[2J"),
        NewComplaint(words="a\0"),
        NewComplaint(words="x" * 4_001),
        NewComplaint(words="x", reporter="a\nb"),
        NewComplaint(words="x", reporter="a\u202eb"),
        NewComplaint(words="x", contact="y" * 201),
        NewComplaint(words="x", account="Nobody"),
        NewComplaint(words="x", account="' OR 1 --"),
        NewComplaint(words="x", fault="F-22222"),
        NewComplaint(words="x", fault="C-22222"),
        NewComplaint(words="x", received_at=NOW + timedelta(minutes=1)),
    ],
)
def test_what_cannot_be_kept_is_refused(dsn: str, new: NewComplaint) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        with pytest.raises((InvalidValue, Refused)):
            await complaints.open_complaint(db, new, staff="sam", now=NOW)
        for staff in ("", " ", "a\x1b"):
            with pytest.raises(InvalidValue):
                await complaints.open_complaint(db, NewComplaint(words="x"), staff=staff, now=NOW)
        assert await db.fetchval("SELECT count(*) FROM complaints") == 0

    body(dsn)


@in_database
async def test_what_was_said_can_be_neither_altered_nor_removed_but_with_a_record_that_is_closed(
    db: asyncpg.Pool,
) -> None:
    reference = await opened(db, NewComplaint(words="x"))
    await complaints.add(db, reference, entry.note("two\nlines", to_customer=True), staff="sam", now=NOW)
    for statement in (
        "UPDATE complaint_events SET staff = 'nobody'",
        "DELETE FROM complaint_events",
        "TRUNCATE complaint_events",
        "TRUNCATE complaints CASCADE",
        "DELETE FROM complaints",
    ):
        with pytest.raises(asyncpg.PostgresError):
            await db.execute(statement)


@pytest.mark.parametrize(
    ("closed_at", "today", "is_kept"),
    [
        ("2026-06-10T12:00+00:00", "2028-06-09", True),
        ("2026-06-10T12:00+00:00", "2028-06-10", False),
        # 23:30 in UTC is the next day in London's summer.
        ("2026-06-10T23:30+00:00", "2028-06-10", True),
        ("2026-06-10T23:30+00:00", "2028-06-11", False),
        ("2026-02-28T12:00+00:00", "2028-02-28", False),
        ("2028-02-29T12:00+00:00", "2030-02-27", True),
        ("2028-02-29T12:00+00:00", "2030-02-28", False),
    ],
)
def test_records_go_so_many_months_after_the_close_with_all_that_is_theirs(
    dsn: str, closed_at: str, today: str, is_kept: bool
) -> None:
    @in_database
    async def body(db: asyncpg.Pool) -> None:
        new = NewComplaint(words="x", received_at=datetime.datetime(2026, 1, 5, tzinfo=UTC))
        at = datetime.datetime.fromisoformat(closed_at)
        kept = (await complaints.open_complaint(db, new, staff="sam", now=at)).complaint.reference
        reference = (await complaints.open_complaint(db, new, staff="sam", now=at)).complaint.reference
        await complaints.add(db, reference, entry.closed(Ending.RESOLVED), staff="sam", now=at)
        for each in (kept, reference):
            await db.execute(
                "INSERT INTO mails (key, recipient, subject, body) VALUES ($1, 'a@example.com', 's', 'b')",
                f"complaint/{each}/letter",
            )
        gone = await complaints.remove_old(db, keep_months=24, today=datetime.date.fromisoformat(today))
        assert gone == ([] if is_kept else [reference])
        left = {kept, reference} if is_kept else {kept}
        assert {row["reference"] for row in await db.fetch("SELECT reference FROM complaints")} == left
        assert await db.fetchval("SELECT count(*) FROM mails") == len(left)
        assert await db.fetchval("SELECT count(*) FROM complaint_events") == len(left) - 1

    body(dsn)


@pytest.mark.parametrize("text", ["C-7K3Q9", "c-7k3q9", "7K3Q9", " c 7k3 q9 "])
def test_a_reference_is_read_as_it_is_said(text: str) -> None:
    assert read_reference(text) == "C-7K3Q9"
    assert read_reference("CCCCC") == "C-CCCCC"  # the prefix is one of the letters
    made = new_reference()
    assert read_reference(made) == made


@pytest.mark.parametrize("text", ["", "C-", "F-7K3Q9", "C-7K3Q", "C-7K3Q99", "C-7I3Q9", "' OR 1"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        read_reference(text)
