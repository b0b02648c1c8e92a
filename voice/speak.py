"""`python -m voice speak [NAME ...]`: the words of media/prompts/en_GB.toml into one FLAC file each.

Each file's words are remembered as a digest, so that only new and changed ones are spoken again: on another machine the
same words give a sound that differs in its last bits, and all files would be in every commit.
"""

import hashlib
import json
import tomllib
from pathlib import Path

from voice.carrier import speak_within
from voice.finish import finish, format_flac
from voice.kokoro import RATE, Kokoro

VOICE = "bm_george"
WORDS = Path("media/prompts/en_GB.toml")
SOUNDS = Path("media/prompts/en_GB")
SPOKEN = Path("voice/spoken.json")
EVERYTHING = "all"


def words() -> dict[str, str]:
    """Every prompt's text by name."""
    tables = tomllib.loads(WORDS.read_text(encoding="utf-8"))
    return {name: text for table in tables.values() for name, text in table.items()}


def speak(names: list[str]) -> None:
    """What has changed for none named, and everything for "all"; then files without words are removed, too."""
    texts = words()
    spoken: dict[str, str] = json.loads(SPOKEN.read_text()) if SPOKEN.exists() else {}
    SOUNDS.mkdir(exist_ok=True)
    wanted = names
    if not names or names == [EVERYTHING]:
        wanted = [name for name in texts if names or not _is_spoken(name, texts[name], spoken)]
        _remove_files_without_words(texts)
        spoken = {name: digest for name, digest in spoken.items() if name in texts}
    kokoro = Kokoro(VOICE)
    for name in wanted:
        sound = finish(speak_within(kokoro, texts[name]), RATE, texts[name])
        (SOUNDS / f"{name}.flac").write_bytes(format_flac(sound))
        spoken[name] = _digest(texts[name])
        SPOKEN.write_text(json.dumps(spoken, indent=0, sort_keys=True) + "\n")
    files = list(SOUNDS.glob("*.flac"))
    total = sum(path.stat().st_size for path in files)
    print(f"{len(wanted)} spoken; {len(files)} prompts, {total / 1e6:.1f} MB")


def _is_spoken(name: str, text: str, spoken: dict[str, str]) -> bool:
    return spoken.get(name) == _digest(text) and (SOUNDS / f"{name}.flac").exists()


def _digest(text: str) -> str:
    return hashlib.sha256(f"{VOICE} {text}".encode()).hexdigest()[:16]


def _remove_files_without_words(texts: dict[str, str]) -> None:
    for path in SOUNDS.glob("*.flac"):
        if path.stem not in texts:
            path.unlink()
