"""Music on hold: level, spectrum and seam of the shipped piece; the operator's own; one encoding for all."""

import math
from itertools import pairwise

import pytest

from media.codecs import CODECS, FRAMES_PER_SECOND, G722, PCMA, decode_recording
from media.g711 import REFERENCE_PEAK
from media.music.library import DEFAULT, SHIPPED, MusicLibrary
from media.prompts.catalogue import load_shipped
from media.wav import format_wav
from tests.media.spectrum import level_at, level_dbm0, samples_of, sine

RATE = 16_000


@pytest.fixture(scope="module")
def library():
    return MusicLibrary()


@pytest.fixture(scope="module")
def piece():
    return load_shipped(SHIPPED / "hold.flac", RATE)


def test_the_piece_is_calm_and_nowhere_near_full_scale(piece):
    """Quieter than speech, which says something over it; at no time loud, at no time silent."""
    assert 20 * math.log10(max(map(abs, samples_of(piece))) / 32768) < -9
    second = 2 * RATE
    levels = [level_dbm0(piece[at : at + second]) for at in range(0, len(piece) - second, second)]
    assert len(levels) > 30
    assert max(levels) < -15
    assert min(levels) > -35


def test_most_of_it_is_what_a_telephone_carries(piece):
    """A tenth of a second of each chord: what lies in the band against what is below and above it."""
    inside = below = above = 0.0
    for chord in range(8):
        window = piece[2 * RATE * (chord * 28 + 7) // 5 :][: 2 * RATE // 10]
        for frequency in range(20, 6000, 20):
            power = 10 ** (level_at(window, RATE, frequency) / 10)
            if frequency < 300:
                below += power
            elif frequency <= 3400:
                inside += power
            else:
                above += power
    assert inside > below
    assert above < inside / 1000


def test_the_end_goes_on_in_the_beginning(piece):
    """At the seam neither the value nor the slope steps more than anywhere else near it."""
    samples = samples_of(piece)
    assert len(samples) % (RATE // FRAMES_PER_SECOND) == 0
    around = samples[-800:] + samples[:800]
    slopes = [later - earlier for earlier, later in pairwise(around)]
    bends = [abs(later - earlier) for earlier, later in pairwise(slopes)]
    seam = max(bends[796:801])
    assert seam <= max(bends[:790] + bends[810:])


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_a_round_joins_the_next_in_every_codec(library, codec):
    frames = library.frames(DEFAULT, codec)
    rate = codec.sample_rate
    pcm = decode_recording(codec, (*frames[-100:], *frames[:100]))
    seam = samples_of(pcm)[2 * rate - rate // 100 : 2 * rate + rate // 100]
    steps = [abs(later - earlier) for earlier, later in pairwise(seam)]
    assert max(steps) < REFERENCE_PEAK / 8


def test_a_piece_is_encoded_once_for_all_who_listen(library):
    assert library.frames(DEFAULT, PCMA) is library.frames("no-such-music", PCMA)
    assert library.is_encoded("no-such-music", PCMA)
    fresh = MusicLibrary()
    assert not fresh.is_encoded(DEFAULT, G722)
    fresh.frames(DEFAULT, PCMA)
    assert fresh.bytes_held == len(fresh.frames(DEFAULT, PCMA)) * 160


def put(folder, name, pcm=None, rate=8000):
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(format_wav(sine(500, rate, 1.013) if pcm is None else pcm, rate))


def test_the_operators_pieces_have_names_of_their_own(tmp_path):
    put(tmp_path, "brass-band.wav", rate=44_100)
    library = MusicLibrary(tmp_path)
    assert library.names() == {"hold", "brass-band"}
    frames = library.frames("brass-band", PCMA)
    assert len(frames) == 50, "what is no whole frame would be a pause in each round"
    assert level_at(decode_recording(PCMA, frames), 8000, 500) > -11
    assert library.frames("hold", PCMA) is not frames


def test_the_operators_hold_replaces_ours(tmp_path):
    put(tmp_path, "hold.wav")
    assert len(MusicLibrary(tmp_path).frames(DEFAULT, PCMA)) == 50


def test_what_cannot_be_used_is_named_and_ours_is_played(tmp_path, library):
    put(tmp_path, "hold.wav")
    (tmp_path / "hold.wav").write_bytes(b"RIFF")
    put(tmp_path, "Big Band.wav")
    put(tmp_path, "waltz.mp3")
    put(tmp_path, "for-ever.wav", bytes(2 * 8000 * 601))
    (tmp_path / ".DS_Store").write_bytes(b"")
    found = MusicLibrary(tmp_path)
    assert {problem.file for problem in found.problems} == {
        "hold.wav",
        "Big Band.wav",
        "waltz.mp3",
        "for-ever.wav",
    }
    assert found.frames(DEFAULT, PCMA) == library.frames(DEFAULT, PCMA)


def test_a_file_that_breaks_after_it_was_looked_at_is_replaced(tmp_path, library):
    put(tmp_path, "waltz.wav")
    found = MusicLibrary(tmp_path)
    (tmp_path / "waltz.wav").unlink()
    assert found.frames("waltz", PCMA) == library.frames(DEFAULT, PCMA)
    assert [problem.file for problem in found.problems] == ["waltz.wav"]


def test_a_piece_shorter_than_a_frame_is_a_frame(tmp_path):
    put(tmp_path, "tick.wav", bytes(20))
    assert len(MusicLibrary(tmp_path).frames("tick", PCMA)) == 1


def test_all_together_have_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("media.music.library.SECONDS_OF_ALL_MAX", 1.5)
    put(tmp_path, "a.wav")
    put(tmp_path, "b.wav")
    found = MusicLibrary(tmp_path)
    assert found.names() == {"hold", "a"}
    assert "one too many" in found.problems[0].reason
