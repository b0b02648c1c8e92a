"""What customers change by dialling, carried out by the books process: done, refused in words, or nobody is there."""

import asyncio

import asyncpg
import msgspec
import pytest

from provisioning import service
from provisioning.books.changer import Changer
from provisioning.books.line_changes import (
    DivertAsked,
    DivertErased,
    DivertSwitched,
    LineChange,
    SettingsAsked,
)
from provisioning.books.messages import (
    ChangeAsked,
    ChangeDone,
    ChangeResult,
    decode_from_books,
    decode_to_books,
    encode_message,
)
from provisioning.model import Divert, DivertCondition, DivertKind
from provisioning.settings import LineSettings
from tests.provisioning.databases import add_prepaid, in_database

pytestmark = pytest.mark.wire

REALM = "sip.example.com"
ALL, NO_REPLY = DivertCondition.ALL, DivertCondition.NO_REPLY
NUMBER = DivertKind.NUMBER


async def asked(dsn: str, *changes: LineChange, user: str = "1001") -> list[ChangeDone]:
    """The answers in the order of the changes."""
    answers: asyncio.Queue[ChangeDone] = asyncio.Queue()
    changer = Changer(dsn, answers.put)
    running = asyncio.create_task(changer.run())
    found = []
    for number, change in enumerate(changes):
        await changer.ask(ChangeAsked(number, user, change))
        found.append(await answers.get())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [answer.id for answer in found] == list(range(len(changes)))
    return found


def on_a_line(dsn: str, *changes: LineChange) -> tuple[list[ChangeDone], service.LineView]:
    seen = []

    @in_database
    async def body(db: asyncpg.Pool) -> None:
        await add_prepaid(db)
        await service.add_line(db, "1001", account_name="Shop", realm=REALM)
        await service.set_diverts(db, "1001")
        seen.append((await asked(dsn, *changes), await service.show_line(db, "1001")))

    body(dsn)
    return seen[0]


def test_a_divert_is_set_switched_off_and_forgotten_and_the_mailbox_stays(dsn: str) -> None:
    answers, view = on_a_line(
        dsn,
        DivertAsked((ALL,), NUMBER, "01632960124"),
        DivertAsked((NO_REPLY,), NUMBER, "07700900123", 20),
        DivertSwitched((ALL,), False),
        DivertErased((NO_REPLY,)),
        SettingsAsked(("does_not_disturb=yes",)),
    )
    assert {answer.result for answer in answers} == {ChangeResult.DONE}
    assert view.diverts[0] == Divert(ALL, NUMBER, "+441632960124", is_enabled=False)
    assert {divert.kind for divert in view.diverts[1:]} == {DivertKind.VOICEMAIL} and len(view.diverts) == 4
    assert view.settings == LineSettings(does_not_disturb=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (DivertAsked((ALL,), NUMBER, "0909 8790123"), "premium"),
        (DivertAsked((ALL,), NUMBER, "999"), "emergency"),
        (DivertSwitched((ALL,), True), "no such divert"),
        (SettingsAsked(("speed_dials+=123:1002",)), "expected CODE:NUMBER"),
    ],
)
def test_what_the_books_refuse_is_answered_in_words(dsn: str, change: LineChange, words: str) -> None:
    (answer,), _ = on_a_line(dsn, change)
    assert answer.result is ChangeResult.REFUSED and words in answer.words


def test_a_line_that_is_gone_is_a_no(dsn: str) -> None:
    (answer,) = asyncio.run(asked(dsn, SettingsAsked(("bars_incoming=yes",)), user="1009"))
    assert answer.result is ChangeResult.REFUSED and "there is no line '1009'" in answer.words


def test_nobody_waits_for_a_postgresql_that_is_away() -> None:
    (answer,) = asyncio.run(asked("postgresql://nobody@127.0.0.1:1/none", SettingsAsked(("bars_incoming=yes",))))
    assert answer.result is ChangeResult.AWAY


@pytest.mark.parametrize(
    "change",
    [
        SettingsAsked(("a=b", "c+=d")),
        DivertAsked((ALL, NO_REPLY), NUMBER, "+441632960124", 20),
        DivertSwitched((ALL,), True),
        DivertErased(tuple(DivertCondition)),
    ],
)
def test_it_crosses_the_socket_as_it_was(change: LineChange) -> None:
    message = ChangeAsked(7, "1001", change)
    assert decode_to_books(encode_message(message)[4:]) == message
    done = ChangeDone(7, ChangeResult.REFUSED, "no")
    assert msgspec.structs.astuple(decode_from_books(encode_message(done)[4:])) == (7, ChangeResult.REFUSED, "no")
