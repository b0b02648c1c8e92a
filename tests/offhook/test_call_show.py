"""`offhook call show`: what it prints of a story; tests/care has what the story is explained as."""

import json
from typing import Any

import pytest
import typer.testing
from msgspec.structs import replace

from care.story import CallStory
from offhook import call_story
from offhook.__main__ import app
from provisioning.settings import WITHHELD
from tests.care.call_stories import call, cdr, failed, good_dialog, leg, registration, story, trace
from tests.care.fault_stories import FAULTS


def shown(monkeypatch: pytest.MonkeyPatch, found: CallStory | None, *more: str) -> typer.testing.Result:
    def run(_dsn: str, _work: Any) -> CallStory | None:
        return found

    monkeypatch.setattr(call_story, "find_dsn", lambda _place, given: given)
    monkeypatch.setattr(call_story, "run_on_books", run)
    return typer.testing.CliRunner().invoke(app, ["call", "show", "call-1", *more])


def test_the_paragraph_comes_first_then_the_fault_with_its_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    done = shown(monkeypatch, FAULTS["registration-expired"])
    assert done.exit_code == 0, done.output
    lines = done.output.split("\n")
    assert " ".join(lines).startswith(
        "At 10:15:00 on Monday 2 March 2026 (GMT), 020 7946 0123 (line anna) called line bob"
    )
    assert "1. The called phone is gone from the network (customer's equipment)" in lines
    assert any(line.startswith("   - Has the phone power and network?") for line in lines)
    assert "Registrations" in lines
    assert "No SIP messages: no trace of this call was kept." in lines


def test_the_ladder_is_drawn_where_there_is_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    traced = replace(call(), trace=trace(good_dialog(0), good_dialog(1)))
    assert "INVITE" in shown(monkeypatch, traced).output
    assert "INVITE" not in shown(monkeypatch, traced, "--no-ladder").output


def test_json_has_everything_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    told = json.loads(shown(monkeypatch, FAULTS["wrong-password"], "--json").output)
    assert told["findings"][0]["name"] == "wrong-password"
    assert told["findings"][0]["where"] == "customer's equipment"
    assert told["legs"][0]["outcome"] == "not_registered"
    assert told["registrations"][0]["reason"] == "wrong password"
    assert told["paragraph"].startswith("At 10:15:00")


def test_nothing_hostile_reaches_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    evil = "\x1b[2J\x9b\u202eevil\nnext"
    hostile = story(
        cdr(**{**failed(500, 41, "failed", evil), "dialled": evil, "line": evil, "destination": evil}),
        leg(**{**failed(500, 41, "failed", evil), "trunk": evil, "leg_reason": evil}),
        registrations=[registration("refused", at_s=-5, user_agent=evil, reason=evil, line=evil)],
        no_trace=evil,
    )
    for more in ((), ("--json",)):
        output = shown(monkeypatch, hostile, *more).output
        assert "evil" in output
        assert [line for line in output.split("\n") if not line.isprintable()] == []


def test_a_withheld_number_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    found = call(privacy="id", network_number=WITHHELD, presentation_number=WITHHELD)
    assert "7946 0123" not in shown(monkeypatch, found).output


def test_a_call_that_is_not_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    done = shown(monkeypatch, None)
    assert done.exit_code != 0
    assert "call-1" in str(done.exception)
