"""WAV files: read with suspicion into mono 16-bit PCM, and written.

Read: linear PCM of 8, 16, 24 or 32 bits (also as WAVE_FORMAT_EXTENSIBLE) and G.711, mono or stereo, at any sensible
rate. A file whose sizes, formats and rates do not agree with each other and with the file is refused with the reason:
half of a prompt is worse than the shipped one. Not read: compressed formats, RF64, floating point.
"""

import struct
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import av
from av.audio.resampler import AudioResampler

from media import g711
from media.codecs import BYTES_PER_SAMPLE, pcm_of

# Nine minutes of 48 kHz stereo 16-bit, and nothing that anybody wants to hear while he waits is longer.
FILE_BYTES_MAX: Final = 100 * 1024 * 1024
# What speech needs at least; the highest that studio equipment writes.
RATE_MIN: Final = 6_000
RATE_MAX: Final = 192_000
# A recording with ten chunks before its data is a curiosity; the limit keeps a hostile file from being walked for long.
CHUNKS_MAX: Final = 100
HEADER_BYTES: Final = 44

_PCM: Final = 1
_ALAW: Final = 6
_ULAW: Final = 7
_EXTENSIBLE: Final = 0xFFFE
_NAMES: Final = {
    2: "ADPCM", 3: "floating point", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x55: "MP3", 0x64: "G.726", 0xFF: "AAC",
}  # fmt: skip
# The tail of the GUID that WAVE_FORMAT_EXTENSIBLE makes of a format tag.
_GUID_TAIL: Final = bytes.fromhex("000000001000800000aa00389b71")
_G711: Final[dict[int, Callable[[bytes], bytes]]] = {_ALAW: g711.decode_alaw, _ULAW: g711.decode_ulaw}


class WavProblem(ValueError):  # noqa: N818 - what is wrong with a file, not with us
    """Why a file is not used, in words that complete "the file ..."."""


class WavFormat(NamedTuple):
    """The fmt chunk. `tag` is the one inside WAVE_FORMAT_EXTENSIBLE."""

    tag: int
    channels: int
    rate: int
    bits: int


class Recording(NamedTuple):
    """Mono 16-bit PCM in the machine's order."""

    pcm: bytes
    rate: int

    @property
    def duration_s(self) -> float:
        return len(self.pcm) / BYTES_PER_SAMPLE / self.rate


def load_wav(path: Path, rate: int, *, bytes_max: int = FILE_BYTES_MAX) -> Recording:
    """A file at the rate wanted. Raises WavProblem, and OSError for one that cannot be opened."""
    with path.open("rb") as file:
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise WavProblem(f"is larger than {bytes_max} bytes")
    return read_wav(data, rate)


def read_wav(data: bytes, rate: int) -> Recording:
    """A whole file as mono 16-bit PCM at the rate wanted; stereo is mixed half and half. Raises WavProblem."""
    form, samples = parse_wav(data)
    if form.tag in _G711:
        pcm, bits = _G711[form.tag](samples), 16
    else:
        pcm, bits = samples, form.bits
        if sys.byteorder == "big" and bits == 16:
            pcm = _swapped(pcm)
    if form.channels == 1 and bits == 16 and form.rate == rate:
        return Recording(pcm, rate)
    return Recording(_resample(pcm, form, bits, rate), rate)


def parse_wav(data: bytes) -> tuple[WavFormat, bytes]:
    """The format and the samples as they are in the file. Raises WavProblem."""
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise WavProblem(f"is no WAV file: it begins with {data[:12]!r}")
    (size,) = struct.unpack_from("<I", data, 4)
    if size + 8 > len(data):
        raise WavProblem(f"says that it has {size + 8} bytes, and has {len(data)}: it is cut short")
    if size + 9 < len(data):  # one more is the padding that some writers leave out of the count
        raise WavProblem(f"says that it has {size + 8} bytes, and has {len(data)}")
    form: WavFormat | None = None
    position = 12
    for _ in range(CHUNKS_MAX):
        if position + 8 > len(data):
            break
        name, length = struct.unpack_from("<4sI", data, position)
        position += 8
        if position + length > len(data):
            raise WavProblem(
                f"has a chunk {name!r} of {length} bytes, of which {len(data) - position} are there"
            )
        chunk = data[position : position + length]
        position += length + length % 2
        if name == b"fmt ":
            if form is not None:
                raise WavProblem("has two fmt chunks")
            form = _parse_format(chunk)
        elif name == b"data":
            if form is None:
                raise WavProblem("has its samples before it says what they are")
            return form, _checked(form, chunk)
    raise WavProblem("has no samples" if form is not None else "has no fmt chunk")


def _parse_format(chunk: bytes) -> WavFormat:
    if len(chunk) < 16:
        raise WavProblem(f"has a fmt chunk of {len(chunk)} bytes, which is too short")
    tag, channels, rate, bytes_per_second, block, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE:
        tag = _extensible_tag(chunk)
    expected_bits = (8, 16, 24, 32) if tag == _PCM else (8,)
    if tag != _PCM and tag not in _G711:
        name = _NAMES.get(tag, "unknown to us")
        raise WavProblem(f"has the format {tag:#06x}, {name}; expected linear PCM, A-law or u-law")
    if channels not in (1, 2):
        raise WavProblem(f"has {channels} channels; expected 1 or 2")
    if not RATE_MIN <= rate <= RATE_MAX:
        raise WavProblem(f"has {rate} samples a second; expected {RATE_MIN} to {RATE_MAX}")
    if bits not in expected_bits:
        raise WavProblem(f"has {bits} bits a sample; expected {', '.join(map(str, expected_bits))}")
    if block != channels * bits // 8 or bytes_per_second != rate * block:
        raise WavProblem(
            f"contradicts itself: {channels} channels of {bits} bits at {rate} Hz in blocks of {block} bytes, "
            f"{bytes_per_second} bytes a second"
        )
    return WavFormat(tag, channels, rate, bits)


def _extensible_tag(chunk: bytes) -> int:
    if len(chunk) < 40 or chunk[26:40] != _GUID_TAIL:
        raise WavProblem("has an extensible format that is not one of the registered ones")
    tag: int = struct.unpack_from("<H", chunk, 24)[0]
    return tag


def _checked(form: WavFormat, samples: bytes) -> bytes:
    if not samples:
        raise WavProblem("has no samples")
    block = form.channels * form.bits // 8
    if len(samples) % block:
        raise WavProblem(f"has {len(samples)} bytes of samples, no whole number of blocks of {block}")
    return samples


def _resample(pcm: bytes, form: WavFormat, bits: int, rate: int) -> bytes:
    """By FFmpeg's polyphase filter. Low frequencies keep their level; what the lower rate cannot hold is taken out."""
    layout = "mono" if form.channels == 1 else "stereo"
    if bits == 24:
        pcm, bits = _as_32_bits(pcm), 32
    name = {8: "u8", 16: "s16", 32: "s32"}[bits]
    frame = av.AudioFrame(format=name, layout=layout, samples=len(pcm) // (bits // 8 * form.channels))
    plane = frame.planes[0]
    plane.update(pcm.ljust(plane.buffer_size, b"\0"))
    frame.sample_rate = form.rate
    resampler = AudioResampler(format="s16", layout="mono", rate=rate)
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    return b"".join(pcm_of(resampled) for resampled in frames)


def _as_32_bits(pcm: bytes) -> bytes:
    wide = bytearray(len(pcm) // 3 * 4)
    places = (1, 2, 3) if sys.byteorder == "little" else (2, 1, 0)
    for place, source in zip(places, range(3), strict=True):
        wide[place::4] = pcm[source::3]
    return bytes(wide)


def _swapped(pcm: bytes) -> bytes:
    samples = array("h", pcm)
    samples.byteswap()
    return samples.tobytes()


def wav_header(pcm_bytes: int, rate: int) -> bytes:
    """The 44 bytes before mono 16-bit samples, for a file whose samples are appended."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 36 + pcm_bytes, b"WAVE", b"fmt ", 16, _PCM, 1, rate, rate * BYTES_PER_SAMPLE, BYTES_PER_SAMPLE, 16,
        b"data", pcm_bytes,
    )  # fmt: skip


def format_wav(pcm: bytes, rate: int) -> bytes:
    """A whole file of mono 16-bit samples."""
    if sys.byteorder == "big":
        pcm = _swapped(pcm)
    return wav_header(len(pcm), rate) + pcm
