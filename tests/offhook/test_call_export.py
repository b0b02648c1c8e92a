"""`offhook call export`: which file for which name, and nothing else by accident."""

import stat
from pathlib import Path

import pytest

from care.story import CallStory
from offhook.commands import call_export
from offhook.exit_codes import CommandError, ExitCode
from tests.care.stories import caller_leg, carrier_leg, story


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[CallStory]:
    """The stories that the books are said to have."""
    stories = [story()]
    monkeypatch.setattr(call_export, "story_of", lambda place, dsn, call_id, **look: stories[0])
    return stories


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("call.pcapng", b"\x0a\x0d\x0d\x0a"),
        ("call.json", b'{\n  "version": 1'),
        ("call.csv", b"call_id,leg,"),
        ("call.ZIP", b"PK"),
        ("call.txt", b"       "),
        ("call.svg", b"<svg "),
    ],
)
def test_the_files_name_says_what_it_is(told, tmp_path, capsys, name, begin):
    call_export.export("c1", to=tmp_path / name)
    content = (tmp_path / name).read_bytes()
    assert content.startswith(begin)
    assert f"{len(content)} bytes" in capsys.readouterr().out
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_the_options_belong_to_their_formats(told, tmp_path):
    for options in ({"trunk": "alpha"}, {"messages": True}, {"narrow": True}):
        with pytest.raises(CommandError, match="belongs to") as refused:
            call_export.export("c1", to=tmp_path / "call.json", **options)
        assert refused.value.code is ExitCode.INVALID
    call_export.export("c1", to=tmp_path / "messages.csv", messages=True)
    assert (tmp_path / "messages.csv").read_bytes().startswith(b"number,at_utc")
    call_export.export("c1", to=tmp_path / "narrow.svg", narrow=True)
    assert b'viewBox="0 0 390 ' in (tmp_path / "narrow.svg").read_bytes()


def test_a_name_that_says_nothing_is_asked_about(told, tmp_path):
    with pytest.raises(CommandError, match="--format"):
        call_export.export("c1", to=tmp_path / "call")
    call_export.export("c1", to=tmp_path / "call", form=call_export.Format.TEXT)
    assert (tmp_path / "call").exists()


def test_a_call_over_several_trunks_is_asked_for_whom(told, tmp_path):
    told[0] = story(caller_leg(), carrier_leg(), carrier_leg(2, trunk="beta"))
    with pytest.raises(CommandError, match="alpha, beta"):
        call_export.export("c1", to=tmp_path / "call.zip")
    call_export.export("c1", to=tmp_path / "call.zip", trunk="beta")
    with pytest.raises(CommandError, match="no leg over trunk"):
        call_export.export("c1", to=tmp_path / "other.zip", trunk="gamma")
    assert not (tmp_path / "other.zip").exists()


def test_without_a_trace_there_is_no_capture_but_a_picture(told, tmp_path):
    told[0] = story(no_trace="it was older than 14 days")
    with pytest.raises(CommandError, match="older than 14 days"):
        call_export.export("c1", to=tmp_path / "call.pcapng")
    call_export.export("c1", to=tmp_path / "call.svg")


def test_a_place_that_cannot_be_written_is_said(told):
    with pytest.raises(CommandError, match="cannot be written"):
        call_export.export("c1", to=Path("/nonexistent/call.txt"))
