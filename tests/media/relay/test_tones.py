"""The music for who is on hold: the shipped one, the operator's, and what is wrong with his file."""

from pathlib import Path

import pytest

from media.codecs import CODECS, Codec, decode_recording
from media.relay.tones import HOLD_MUSIC, MUSIC_SECONDS_MAX, MusicProblem, RelayTones
from media.wav import format_wav
from tests.media.spectrum import level_at, sine

RATE = 16_000


def tone_file(folder: Path, hz: int) -> Path:
    """One second."""
    file = folder / "own.wav"
    file.write_bytes(format_wav(sine(hz, RATE, 1.0), RATE))
    return file


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_the_operators_music_is_played_in_every_codec(tmp_path: Path, codec: Codec) -> None:
    tones = RelayTones()
    tones.load_music(tone_file(tmp_path, 1100))
    tones.wait()
    frames = tones.frames(HOLD_MUSIC, codec.name)
    assert frames is not None and len(frames) == 50
    second_half = decode_recording(codec, frames)[-codec.sample_rate :]
    assert level_at(second_half, codec.sample_rate, 1100) == pytest.approx(-10.0, abs=1.5)


def test_without_a_file_something_is_played() -> None:
    tones = RelayTones()
    tones.load_music(None)
    tones.wait()
    assert all(tones.frames(HOLD_MUSIC, codec.name) for codec in CODECS)
    assert tones.frames(HOLD_MUSIC, "speex") is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        (b"no sound", "no WAV file"),
        (format_wav(bytes(int(MUSIC_SECONDS_MAX + 1) * 16_000), 8000), "601 s long"),
        (format_wav(b"", 8000), "no samples"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_the_shipped_music_heard(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    file = tmp_path / "own.wav"
    if content is not None:
        file.write_bytes(content)
    tones, shipped = RelayTones(), RelayTones()
    shipped.load_music(None)
    with pytest.raises(MusicProblem, match=words):
        tones.load_music(file)
    assert tones.frames(HOLD_MUSIC, "PCMA") == shipped.frames(HOLD_MUSIC, "PCMA")
