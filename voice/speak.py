"""`python -m voice speak [NAME ...]`: the words of media/prompts/en_GB.toml into one FLAC file each."""

import tomllib
from pathlib import Path

from voice.carrier import speak_within
from voice.finish import finish, format_flac
from voice.kokoro import RATE, Kokoro

VOICE = "bm_george"
WORDS = Path("media/prompts/en_GB.toml")
SOUNDS = Path("media/prompts/en_GB")


def words() -> dict[str, str]:
    """Every prompt's text by name."""
    tables = tomllib.loads(WORDS.read_text(encoding="utf-8"))
    return {name: text for table in tables.values() for name, text in table.items()}


def speak(names: list[str]) -> None:
    """All for none named; then files without words are removed, too."""
    texts = words()
    kokoro = Kokoro(VOICE)
    SOUNDS.mkdir(exist_ok=True)
    for name in names or texts:
        sound = finish(speak_within(kokoro, texts[name]), RATE, texts[name])
        (SOUNDS / f"{name}.flac").write_bytes(format_flac(sound))
    if not names:
        for path in SOUNDS.glob("*.flac"):
            if path.stem not in texts:
                path.unlink()
    files = list(SOUNDS.glob("*.flac"))
    print(f"{len(files)} prompts, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB")
