"""`offhook call find`, `fault` and `looks` as somebody at the fault desk types them."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from care.live import SwitchCalls
from care.refused import SwitchRefused
from offhook import __main__ as command
from provisioning import service
from provisioning.cdr_row import CDR_COLUMNS, row_from_cdr
from provisioning.utc import ms_from_time
from rating.records import Cdr, MediaFigures
from tests.billing.books import add_account
from tests.care.call_stories import Talk, trace
from tests.offhook.test_commands import Ran
from tests.postgres import PostgresServer, server
from tests.provisioning.records import cdr
from traces.call_trace import CallTrace

pytestmark = pytest.mark.wire

Offhook = Callable[..., Ran]
CALLED_AT = datetime.now(UTC) - timedelta(hours=2)
HOSTILE = "\x1b]0;gone\x07<b>"


@pytest.fixture(scope="module")
def books() -> Iterator[PostgresServer]:
    with server() as running:
        yield running


@pytest.fixture
def offhook(
    books: PostgresServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path
) -> Iterator[Offhook]:  # type: ignore[no-untyped-def]
    dsn = books.new_database()
    monkeypatch.setenv("OFFHOOK_DSN", dsn)
    monkeypatch.setenv("OFFHOOK_DATA", str(tmp_path))
    monkeypatch.setenv("OFFHOOK_STAFF", "sam")
    facts = {"setup_at_ms": ms_from_time(CALLED_AT), "account_id": None, "payer_account_id": None}
    with psycopg.connect(dsn) as connection:
        for record in (
            cdr("c1", **facts),
            cdr(
                "c2",
                reason=HOSTILE,
                network_number="+441632960002",
                presentation_number="+441632960002",
                **facts,
            ),
        ):
            connection.execute(
                f"INSERT INTO cdrs ({', '.join(CDR_COLUMNS)}) VALUES ({', '.join(['%s'] * len(CDR_COLUMNS))})",
                row_from_cdr(record),
            )

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["offhook", *arguments])
        code = 0
        try:
            command.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    yield run
    books.drop_database(dsn)


def test_a_call_is_found_and_the_look_is_on_record(offhook: Offhook) -> None:
    at = CALLED_AT.strftime("%Y-%m-%d %H:%M UTC")
    found = offhook(
        "call", "find", "--at", at, "--cli", "01632 960001", "--ddi", "*0123", "--json", "--why", "F-7K3Q9"
    )
    assert found.code == 0, found.err
    answer = json.loads(found.out)
    assert [call["call_id"] for call in answer["calls"]] == ["c1"]
    assert "from 01632 960001, to a number that ends 0123" in answer["understood"]
    looks = json.loads(offhook("looks", "list", "--json").out)
    assert [(each["staff"], each["what"], each["call_id"], each["why"]) for each in looks] == [
        ("sam", "found", "c1", "F-7K3Q9"), ("sam", "search", "", f"F-7K3Q9: {answer['understood']}"),
    ]  # fmt: skip
    assert offhook("looks", "list").out.count("sam") == 2


def test_a_call_that_is_up_is_found_shown_and_attached_to_a_fault(
    offhook: Offhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_ms = ms_from_time(datetime.now(UTC))
    rings = {"outcome": "open", "reason": "", "ended_by": "", "answered_at_ms": None, "setup_at_ms": now_ms - 9_000,
             "ended_at_ms": now_ms, "account_id": None, "payer_account_id": None}  # fmt: skip

    async def records(_self: SwitchCalls, *, call_id: str = "", **_rest: object) -> list[list[Cdr]]:
        return [[cdr("c9", **rings), cdr("c9", 1, line="bob", **rings)]] if call_id in ("", "c9") else []

    async def media(_self: SwitchCalls, _call_id: str) -> list[MediaFigures]:
        return []

    assert "calls that are up are not searched" in offhook("call", "find", "--line", "alice").err
    assert offhook("call", "show", "c9").code != 0
    monkeypatch.setattr(SwitchCalls, "records", records)
    monkeypatch.setattr(SwitchCalls, "media", media)
    found = offhook("call", "find", "--line", "bob")
    assert "c9" in found.out and "still ringing" in found.out
    assert found.err == ""
    answer = json.loads(offhook("call", "find", "--line", "bob", "--json").out)
    assert ([call["call_id"] for call in answer["up"]], answer["calls"]) == (["c9"], [])
    shown = offhook("call", "show", "c9").out
    assert "Nobody has answered yet, after 9 seconds." in " ".join(shown.split())
    reference = offhook("fault", "new", "nobody answers").out.split()[1]
    assert offhook("fault", "attach", reference, "c9").code == 0
    assert offhook("fault", "attach", reference, "c8").code != 0
    looks = json.loads(offhook("looks", "list", "--call-id", "c9", "--json").out)
    assert [each["what"] for each in looks] == ["fault", "call", "found", "found"]


def test_a_line_is_explained_without_a_call(offhook: Offhook) -> None:
    async def fill() -> None:
        async with service.connect(os.environ["OFFHOOK_DSN"]) as db:
            await add_account(db, name="Shop")
            await service.add_line(db, "1001", account_name="Shop", realm="offhook", password="correct-horse-7")

    asyncio.run(fill())
    done = offhook("line", "explain", "1001", "--why", HOSTILE[1:7])
    assert done.code == 0, done.err
    words = " ".join(done.out.split())
    assert "The switch does not answer" in words
    assert "1. No phone is registered (customer's equipment)" in done.out
    told = json.loads(offhook("line", "explain", "1001", "--json").out)
    assert [finding["name"] for finding in told["findings"]] == ["not-registered"]
    looks = json.loads(offhook("looks", "list", "--account", "Shop", "--json").out)
    assert [(each["what"], each["why"]) for each in looks] == [("line", "1001"), ("line", f"{HOSTILE[1:7]}: 1001")]
    assert offhook("line", "explain", "nobody").code != 0


def test_invites_that_were_refused_before_there_was_a_call(
    offhook: Offhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "does not answer" in offhook("call", "refused").err
    talk = Talk().request("INVITE", 0, sent=False, fields=f"User-Agent: {HOSTILE}\r\n")
    found = trace(talk.response(407, "INVITE", 0.1, sent=True))

    async def refused(_self: SwitchRefused, sip_call_id: str = "") -> list[CallTrace]:
        return [found] if sip_call_id in ("", found.call_id) else []

    monkeypatch.setattr(SwitchRefused, "refused", refused)
    shown = offhook("call", "refused")
    assert "198.51.100.7:5060 UDP" in shown.out and "never answered the challenge" in shown.out
    assert "\x1b" not in shown.out and "\\x1b" in shown.out
    assert "407 Said" in offhook("call", "refused", found.call_id).out
    assert "No refused INVITE" in offhook("call", "refused", "--source", "192.0.2.1").out
    assert len(json.loads(offhook("call", "refused", "--source", "198.51.100.7", "--json").out)) == 1
    assert offhook("call", "refused", "another").code != 0
    looks = json.loads(offhook("looks", "list", "--json").out)
    assert {each["what"] for each in looks} == {"refused"}


def test_pages_and_words_for_people(offhook: Offhook) -> None:
    first = offhook("call", "find", "--since", "1d", "--limit", "1")
    assert first.out.startswith("Searched: ")
    after = first.out.rpartition("--after ")[2].strip()
    second = offhook("call", "find", "--since", "1d", "--limit", "1", "--after", after)
    assert ("c1" in first.out) != ("c1" in second.out)
    assert "No call is like that." in offhook("call", "find", "--cli", "020 7946 0999").out


def test_hostile_text_reaches_no_terminal(offhook: Offhook) -> None:
    shown = offhook("call", "find", "--call-id", "c2").out
    assert "\x1b" not in shown
    assert "\\x1b" in shown
    assert "\x1b" not in offhook("call", "find", "--line", HOSTILE).err


@pytest.mark.parametrize(
    "words",
    [
        ["--at", "half past never"], ["--at", "10:15", "--since", "1d"], ["--cli", "...1"], ["--cause", "999"],
        ["--limit", "0"], ["--longer-than", "1_0"], ["--order", "random"], ["--after", "x"], ["--since", "90d"],
    ],
)  # fmt: skip
def test_what_cannot_be_asked_exits_2_and_says_why(offhook: Offhook, words: list[str]) -> None:
    refused = offhook("call", "find", *words)
    assert refused.code == 2
    assert refused.err


def test_a_fault_from_the_report_to_its_close(offhook: Offhook) -> None:
    at = CALLED_AT.strftime("%Y-%m-%d %H:%M UTC")
    opened = offhook("fault", "new", "it cut off", "--at", at, "--cli", "01632 960001", "--kind", "cut-off")
    assert opened.code == 0, opened.err
    reference = opened.out.split()[1]
    assert "Call c1 is attached." in opened.out
    asked = offhook("fault", "check", reference, "Switch SIP ALG off")
    number = asked.out.rstrip(".\n").rpartition(" ")[2]
    assert offhook("fault", "check", reference, "It was on", "--answers", number).code == 0
    assert (
        offhook(
            "fault",
            "note",
            reference,
            "Called back",
            "--told",
            "--state",
            "waiting",
            "--where",
            "our-network",
        ).code
        == 0
    )
    assert offhook("fault", "attach", reference, "c2").code == 0
    assert offhook("fault", "attach", reference, "c2").code == 1
    shown = offhook("fault", "show", reference, "--why", "asked").out
    for words in (
        "it cut off",
        "asked for check",
        "It was on",
        "told the customer",
        "waiting",
        "our-network",
        "c2",
        "No sign of a fault was found",  # the explanation of c1, as it was when the fault was opened
    ):
        assert words in shown
    assert reference in offhook("fault", "list").out
    assert offhook("fault", "close", reference).code == 2
    assert offhook("fault", "close", reference, "The router", "--where", "customer-equipment").code == 0
    assert reference not in offhook("fault", "list").out
    (listed,) = json.loads(offhook("fault", "list", "--state", "closed", "--json").out)
    assert (listed["place"], listed["clock"]["is_restored_late"]) == ("customer-equipment", False)
    assert f"{reference} asked" in offhook("looks", "list").out
    for asked in ("fault", "looks"):
        misspelt = offhook(asked, "list", "--account", "Shopp")
        assert (misspelt.code, "there is no account 'Shopp'" in misspelt.err) == (1, True)


def test_several_candidates_are_shown(offhook: Offhook) -> None:
    at = CALLED_AT.strftime("%Y-%m-%d %H:%M UTC")
    opened = offhook("fault", "new", "--at", at, "--ddi", "020 7946 0123")
    assert "offhook fault attach" in opened.out
    assert "c1" in opened.out
    assert "c2" in opened.out


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (2, ["show", "x"]),
        (1, ["show", "F-22222"]),
        (2, ["new"]),
        (1, ["new", "--line", "nobody"]),
        (1, ["attach", "F-22222", "c1"]),
    ],
)
def test_what_a_fault_cannot_be_is_said(offhook: Offhook, code: int, words: list[str]) -> None:
    refused = offhook("fault", *words)
    assert refused.code == code
    assert refused.err


def test_a_mistake_in_faults_toml_is_named(offhook: Offhook, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "faults.toml").write_text("[urgent]\nrestore_h = 0\n", encoding="utf-8")
    refused = offhook("fault", "list", "--conf", str(tmp_path))
    assert refused.code == 2
    assert "restore_h" in refused.err
