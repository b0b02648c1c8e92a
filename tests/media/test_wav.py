"""WAV files: what is written is read back, what others write is read, and what lies is refused with the reason."""

import io
import struct
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.wav import RATE_MAX, Recording, WavProblem, format_wav, load_wav, parse_wav, read_wav
from tests.media.spectrum import level_at, level_dbm0, pcm_of, samples_of, sine


def fmt(tag=1, channels=1, rate=8000, bits=16, *, block=None, speed=None, tail=b"") -> bytes:
    block = channels * bits // 8 if block is None else block
    speed = rate * block if speed is None else speed
    return struct.pack("<HHIIHH", tag, channels, rate, speed, block, bits) + tail


def riff(*chunks: tuple[bytes, bytes], size: int | None = None) -> bytes:
    body = b"".join(
        name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body) if size is None else size) + b"WAVE" + body


def wav(samples: bytes = bytes(320), **format_fields) -> bytes:
    return riff((b"fmt ", fmt(**format_fields)), (b"data", samples))


def test_what_is_written_is_read_back_and_is_what_others_read():
    pcm = sine(440, 8000, 0.5)
    data = format_wav(pcm, 8000)
    assert read_wav(data, 8000) == Recording(pcm, 8000)
    with wave.open(io.BytesIO(data)) as judge:
        assert (judge.getnchannels(), judge.getsampwidth(), judge.getframerate()) == (1, 2, 8000)
        assert judge.readframes(judge.getnframes()) == pcm


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("bits", [8, 16, 24, 32])
@pytest.mark.parametrize("rate", [6000, 8000, 11025, 16000, 44100, 48000, 192000])
def test_any_width_and_rate_keeps_frequency_level_and_length(rate, bits, channels):
    mono = samples_of(sine(1000, rate, 0.5))
    pack = {
        8: lambda s: bytes([(s >> 8) + 128]),
        16: lambda s: struct.pack("<h", s),
        24: lambda s: struct.pack("<i", s << 8)[:3],
        32: lambda s: struct.pack("<i", s << 16),
    }[bits]
    data = wav(b"".join(pack(sample) * channels for sample in mono), rate=rate, bits=bits, channels=channels)
    recording = read_wav(data, 8000)
    assert len(samples_of(recording.pcm)) == pytest.approx(4000, abs=1)
    steady = recording.pcm[1600:6400]  # 300 ms
    assert level_at(steady, 8000, 1000) == pytest.approx(-10, abs=0.3)


def test_the_module_of_python_writes_what_we_read():
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(2)
        writer.setsampwidth(3)
        writer.setframerate(44100)
        writer.writeframes(bytes(6 * 4410))
    assert read_wav(file.getvalue(), 16000).duration_s == pytest.approx(0.1, abs=0.001)


def test_stereo_is_mixed_half_and_half():
    left_only = b"".join(struct.pack("<hh", sample, 0) for sample in samples_of(sine(1000, 8000, 0.5)))
    assert level_dbm0(read_wav(wav(left_only, channels=2), 8000).pcm) == pytest.approx(-16, abs=0.1)


def test_what_the_lower_rate_cannot_hold_is_taken_out():
    high = read_wav(wav(sine(6000, 48000, 0.5), rate=48000), 8000)
    assert level_dbm0(high.pcm[800:7200]) < -60
    speech = read_wav(wav(sine(3000, 48000, 0.5), rate=48000), 8000)
    assert level_at(speech.pcm[1600:6400], 8000, 3000) == pytest.approx(-10, abs=0.5)


@pytest.mark.parametrize("tag", [6, 7])
def test_g711_in_a_wav_is_read(tag):
    silence = {6: b"\xd5", 7: b"\xff"}[tag]
    assert level_dbm0(read_wav(wav(silence * 800, tag=tag, bits=8), 8000).pcm) < -60


def test_the_extensible_form_of_pcm_is_read():
    tail = struct.pack("<HHIH", 22, 16, 4, 1) + bytes.fromhex("000000001000800000aa00389b71")
    data = riff((b"fmt ", fmt(tag=0xFFFE, tail=tail)), (b"data", pcm_of([1, 2, 3])))
    assert samples_of(read_wav(data, 8000).pcm) == (1, 2, 3)


def test_chunks_that_say_nothing_of_the_sound_are_skipped():
    data = riff(
        (b"LIST", b"odd"), (b"fmt ", fmt()), (b"fact", bytes(4)), (b"data", pcm_of([7, 8])), (b"id3 ", b"x")
    )
    assert samples_of(read_wav(data, 8000).pcm) == (7, 8)


GOOD = wav()
EXTENSIBLE = fmt(
    tag=0xFFFE, tail=struct.pack("<HHIH", 22, 16, 4, 3) + bytes.fromhex("000000001000800000aa00389b71")
)
LIES = {
    "empty": (b"", "is no WAV file"),
    "another format": (b"ID3\x04" + bytes(100), "is no WAV file"),
    "big-endian": (b"RIFX" + GOOD[4:], "is no WAV file"),
    "cut short": (GOOD[:-1], "is cut short"),
    "header only": (GOOD[:20], "is cut short"),
    "streamed": (riff((b"fmt ", fmt()), (b"data", bytes(320)), size=0xFFFFFFFF), "is cut short"),
    "more than it says": (GOOD + b"junk", "says that it has 364 bytes, and has 368"),
    "a chunk beyond the end": (
        riff((b"fmt ", fmt()))[:-24] + b"fmt " + struct.pack("<I", 4000) + fmt(), "of which 16 are there"
    ),
    "samples beyond the end": (GOOD[:40] + struct.pack("<I", 321) + GOOD[44:], "321 bytes, of which 320 are there"),
    "no samples": (wav(b""), "has no samples"),
    "no data chunk": (riff((b"fmt ", fmt())), "has no samples"),
    "no fmt chunk": (riff((b"LIST", bytes(4))), "has no fmt chunk"),
    "data first": (riff((b"data", bytes(320)), (b"fmt ", fmt())), "before it says what they are"),
    "two formats": (riff((b"fmt ", fmt()), (b"fmt ", fmt(rate=16000)), (b"data", bytes(320))), "two fmt chunks"),
    "short fmt": (riff((b"fmt ", fmt()[:14]), (b"data", bytes(320))), "too short"),
    "mp3 inside": (wav(tag=0x55), "0x0055, MP3"),
    "floating point": (wav(tag=3, bits=32), "0x0003, floating point"),
    "unknown": (wav(tag=0x1234), "0x1234, unknown to us"),
    "extensible floating point": (riff((b"fmt ", EXTENSIBLE), (b"data", bytes(320))), "0x0003, floating point"),
    "extensible, private": (riff((b"fmt ", EXTENSIBLE[:-1] + b"x"), (b"data", bytes(320))), "not one of the reg"),
    "no channels": (wav(channels=0, block=2), "has 0 channels"),
    "surround": (wav(channels=6), "has 6 channels"),
    "no rate": (wav(rate=0), "has 0 samples a second"),
    "absurd rate": (wav(rate=RATE_MAX + 1), "expected 6000 to 192000"),
    "12 bits": (wav(bits=12, block=2), "has 12 bits"),
    "16-bit A-law": (wav(tag=6, bits=16), "has 16 bits"),
    "wrong block": (wav(block=4), "contradicts itself"),
    "wrong speed": (wav(speed=8000), "contradicts itself"),
    "half a sample": (wav(bytes(321)), "no whole number of blocks of 2"),
    "a thousand chunks": (riff(*[(b"LIST", b"")] * 1000, (b"fmt ", fmt()), (b"data", bytes(320))), "has no fmt chunk"),
}  # fmt: skip


@pytest.mark.parametrize("case", LIES)
def test_a_file_that_is_not_what_it_claims_is_refused_with_the_reason(case):
    data, reason = LIES[case]
    with pytest.raises(WavProblem, match=reason):
        read_wav(data, 8000)


def test_a_file_beyond_the_limit_is_not_read_whole(tmp_path):
    path = tmp_path / "long.wav"
    path.write_bytes(GOOD)
    assert load_wav(path, 8000).pcm == bytes(320)
    with pytest.raises(WavProblem, match="larger than 363 bytes"):
        load_wav(path, 8000, bytes_max=363)


@given(st.binary(max_size=200), st.integers(0, len(GOOD)), st.integers(0, 60))
def test_damage_anywhere_is_a_recording_or_a_reason(junk, start, length):
    damaged = GOOD[:start] + junk + GOOD[start + length :]
    try:
        form, samples = parse_wav(damaged)
    except WavProblem as problem:
        assert str(problem).split()[0] in {"is", "has", "says", "contradicts"}
    else:
        assert len(samples) % (form.channels * form.bits // 8) == 0
        read_wav(damaged, 8000)
