"""An operator's own prompts: CONF/prompts/<language>/<name>.wav, looked at before they are used.

What cannot be used is refused with the reason, and the shipped prompt is heard instead; `offhook check` says so, too.
"""

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Final, NamedTuple

from media.wav import WavProblem, load_wav

FOLDER: Final = "prompts"
# An announcement that is longer keeps nobody on the line; it is also what encoding it in a call's time would cost.
SECONDS_MAX: Final = 120.0
# All of a language in the shipped length are 400 s; four languages with room. 14 MB as G.711, as much for each codec.
SECONDS_OF_ALL_MAX: Final = 1800.0
# Two minutes of 48 kHz, stereo, 32 bits.
FILE_BYTES_MAX: Final = 48 * 1024 * 1024
# Names of languages and files that are read at all.
FILES_MAX: Final = 10_000
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(_[A-Z]{2})?")
_CHECK_RATE: Final = 8000


class PromptProblem(NamedTuple):
    """`file` is seen from the folder of the prompts."""

    file: str
    reason: str


class OwnRecordings(NamedTuple):
    """What can be used, by language and name, and what cannot."""

    files: dict[tuple[str, str], Path]
    problems: list[PromptProblem]


def find_own_recordings(folder: Path, names: Collection[str]) -> OwnRecordings:
    """Reads every file whole. `names` are those that a prompt or tone can have. A folder that is not there is empty."""
    found: dict[tuple[str, str], Path] = {}
    problems: list[PromptProblem] = []
    seconds = 0.0
    try:
        for path in _files(folder):
            shown = str(path.relative_to(folder))
            try:
                key = _key(path, names)
                duration_s = checked_duration_s(path, SECONDS_MAX)
                if seconds + duration_s > SECONDS_OF_ALL_MAX:
                    raise WavProblem(f"is one too many: all together may have {SECONDS_OF_ALL_MAX:.0f} s")
            except WavProblem as problem:
                problems.append(PromptProblem(shown, str(problem)))
            except OSError as problem:
                problems.append(PromptProblem(shown, f"cannot be read: {problem.strerror or problem}"))
            else:
                seconds += duration_s
                found[key] = path
    except OSError as problem:
        problems.append(PromptProblem(".", f"cannot be read: {problem.strerror or problem}"))
    return OwnRecordings(found, problems)


def checked_duration_s(path: Path, seconds_max: float) -> float:
    """Reads the file whole. Raises WavProblem for what cannot be played or is longer than that, and OSError."""
    recording = load_wav(path, _CHECK_RATE, bytes_max=FILE_BYTES_MAX)
    if recording.duration_s > seconds_max:
        raise WavProblem(f"is {recording.duration_s:.0f} s long; at most {seconds_max:.0f} are played")
    return recording.duration_s


def _files(folder: Path) -> Iterator[Path]:
    """What lies in the folders of languages, hidden files left out."""
    if not folder.is_dir():
        return
    count = 0
    for place in sorted(folder.iterdir()):
        inside = sorted(place.iterdir()) if place.is_dir() and not place.name.startswith(".") else [place]
        for path in inside:
            count += 1
            if count > FILES_MAX:
                return
            if not path.name.startswith("."):
                yield path


def _key(path: Path, names: Collection[str]) -> tuple[str, str]:
    language = path.parent.name
    if not _LANGUAGE.fullmatch(language):
        raise WavProblem("lies in no folder of a language, as en_GB is")
    if path.suffix != ".wav":
        raise WavProblem("is not named <name>.wav")
    if path.stem not in names:
        close = get_close_matches(path.stem, names, n=1)
        raise WavProblem("has the name of no prompt" + (f"; did you mean {close[0]}.wav?" if close else ""))
    return language, path.stem
