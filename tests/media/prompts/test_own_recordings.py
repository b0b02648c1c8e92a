"""An operator's own prompts: what is used, what is refused, and the reason that is given."""

from pathlib import Path

import pytest

from media.prompts.own_recordings import SECONDS_MAX, find_own_recordings
from media.wav import format_wav
from tests.media.spectrum import sine
from tests.tables import cases

NAMES = {"no-credit", "please-hold", "dial"}
GOOD = format_wav(sine(500, 8000, 0.1), 8000)

FILES = """
# file                      -> problem_contains
en_GB/no-credit.wav         -> -
cy_GB/no-credit.wav         -> -
cy/please-hold.wav          -> -
en_GB/dial.wav              -> -
en_GB/.DS_Store             -> -
en_GB/nocredit.wav          -> did_you_mean_no-credit.wav?
en_GB/welcome-abroad.wav    -> has_the_name_of_no_prompt
en_GB/no-credit.mp3         -> is_not_named_<name>.wav
en_GB/no-credit.WAV         -> is_not_named_<name>.wav
english/no-credit.wav       -> lies_in_no_folder_of_a_language
en_gb/no-credit.wav         -> lies_in_no_folder_of_a_language
no-credit.wav               -> lies_in_no_folder_of_a_language
"""


def put(folder: Path, name: str, data: bytes = GOOD) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.mark.parametrize(("file", "problem"), cases(FILES))
def test_where_a_file_lies_and_what_it_is_called(tmp_path, file, problem):
    folder = tmp_path / "prompts"
    put(folder, file)
    found = find_own_recordings(folder, NAMES)
    if problem:
        assert not found.files
        assert [(bad.file, problem.replace("_", " ") in bad.reason) for bad in found.problems] == [
            (file, True)
        ]
    else:
        assert not found.problems
        hidden = Path(file).name.startswith(".")
        assert found.files == ({} if hidden else {(Path(file).parent.name, Path(file).stem): folder / file})


def test_a_folder_that_is_not_there_is_empty(tmp_path):
    assert find_own_recordings(tmp_path / "prompts", NAMES) == ({}, [])


def test_a_broken_file_is_refused_and_the_others_are_used(tmp_path):
    put(tmp_path, "en_GB/no-credit.wav", GOOD[:-7])
    put(tmp_path, "en_GB/please-hold.wav")
    found = find_own_recordings(tmp_path, NAMES)
    assert set(found.files) == {("en_GB", "please-hold")}
    assert [problem.file for problem in found.problems] == ["en_GB/no-credit.wav"]
    assert "cut short" in found.problems[0].reason


def test_a_file_that_nobody_would_wait_for_is_refused(tmp_path):
    put(tmp_path, "en_GB/no-credit.wav", format_wav(bytes(2 * 8000 * (int(SECONDS_MAX) + 1)), 8000))
    (problem,) = find_own_recordings(tmp_path, NAMES).problems
    assert "121 s long; at most 120" in problem.reason


def test_all_together_have_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("media.prompts.own_recordings.SECONDS_OF_ALL_MAX", 0.25)
    for name in NAMES:
        put(tmp_path, f"en_GB/{name}.wav")
    found = find_own_recordings(tmp_path, NAMES)
    assert len(found.files) == 2
    assert "one too many" in found.problems[0].reason


def test_what_is_no_file_is_named(tmp_path):
    (tmp_path / "en_GB" / "no-credit.wav").mkdir(parents=True)
    (problem,) = find_own_recordings(tmp_path, NAMES).problems
    assert "cannot be read: Is a directory" in problem.reason
