"""`offhook route explain` asks the running exchange; London's clock is meant, and conditions are read."""

import msgspec
import pytest
import typer.testing

from offhook.__main__ import app
from offhook.commands import route


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    questions: list[dict[str, object]] = []

    def answer(_data: object, command: str, *, question: dict[str, object]) -> list[str]:
        assert command == "explain"
        questions.append(question)
        return ["caller: line alice", "move: ring line bob for 20 s"]

    monkeypatch.setattr(route, "ask", answer)
    return questions


def run(*arguments: str) -> typer.testing.Result:
    return typer.testing.CliRunner().invoke(app, ["route", "explain", *arguments])


def test_the_time_is_londons_in_winter_and_in_summer(asked: list[dict[str, object]]) -> None:
    for at in ("2026-12-25 10:15", "2026-07-25 10:15", "2026-07-25T10:15:00Z"):
        assert run("--from", "alice", "--to", "01632960009", "--at", at).exit_code == 0
    assert [question["at_ms"] for question in asked] == [1798193700000, 1784970900000, 1784974500000]
    assert "expected a time such as" in str(run("--from", "a", "--to", "b", "--at", "noon").exception)


def test_conditions_are_read(asked: list[dict[str, object]]) -> None:
    ran = run("--from", "alice", "--to", "1", "--trunk", "one", "--if", "line=busy, menu=2,bob=answered")
    assert ran.output == "caller: line alice\nmove: ring line bob for 20 s\n"
    assert asked[0]["came"] == {"line": "busy", "menu": "2", "bob": "answered"}
    assert asked[0]["trunk"] == "one"
    assert "expected WHAT=RESULT" in str(run("--from", "a", "--to", "1", "--if", "line").exception)


def test_json(asked: list[dict[str, object]]) -> None:
    ran = run("--from", "alice", "--to", "1", "--json")
    assert msgspec.json.decode(ran.output) == {
        "steps": ["caller: line alice", "move: ring line bob for 20 s"]
    }
    assert len(asked) == 1
