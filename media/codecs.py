"""The codecs that Offhook itself speaks and understands: which one to take from an offer, and PCM to payloads and back.

G.711 by our own tables, G.722 and Opus by FFmpeg's (PyAV). One payload is one frame of 20 ms in what is sent; what is
received may be any whole number of octets. PCM is mono 16-bit in the machine's order. Calls between others are relayed
with whatever codec they like: nothing here concerns them.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Final, Literal, NamedTuple, Protocol

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler
from av.error import FFmpegError

from media import g711

FRAME_MS: Final = 20
FRAMES_PER_SECOND: Final = 1000 // FRAME_MS
BYTES_PER_SAMPLE: Final = 2

# RFC 7587 3.1.1 recommends 16 to 20 kbit/s for wideband speech; prompts are worth a little more.
OPUS_BITS_PER_SECOND: Final = 24_000
# After a second of silence every codec says the same again and again, and need not be asked.
SETTLED_FRAMES: Final = 50
# The largest payload that is read. 120 ms of Opus at its highest rate are 1275 x 3 octets (RFC 6716 3.2); an RTP packet
# in one datagram has less.
PAYLOAD_BYTES_MAX: Final = 4096


class Codec(NamedTuple):
    """What SDP calls it, and what it is on the wire and as PCM.

    `clock_rate` counts RTP timestamps and is not the `sample_rate` of the PCM: G.722 says 8000 and is 16000 (RFC 3551
    4.5.2), Opus says 48000 and two channels whatever is in it (RFC 7587 4.1). `payload_type` is the static one, or a
    dynamic one to propose.
    """

    name: str
    payload_type: int
    clock_rate: int
    sample_rate: int
    channels: int = 1

    @property
    def rtpmap(self) -> str:
        """The encoding of an a=rtpmap line: "PCMA/8000", "opus/48000/2"."""
        channels = f"/{self.channels}" if self.channels > 1 else ""
        return f"{self.name}/{self.clock_rate}{channels}"

    @property
    def ticks_per_frame(self) -> int:
        """How much the RTP timestamp grows with each frame."""
        return self.clock_rate // FRAMES_PER_SECOND

    @property
    def pcm_bytes_per_frame(self) -> int:
        return self.sample_rate // FRAMES_PER_SECOND * BYTES_PER_SAMPLE


PCMA: Final = Codec("PCMA", 8, 8000, 8000)
PCMU: Final = Codec("PCMU", 0, 8000, 8000)
G722: Final = Codec("G722", 9, 8000, 16000)
OPUS: Final = Codec("opus", 107, 48000, 16000, channels=2)
# In the order in which a call of our own would offer them; A-law first, as Europe does.
CODECS: Final[tuple[Codec, ...]] = (PCMA, PCMU, G722, OPUS)

TELEPHONE_EVENT: Final = "telephone-event"
TELEPHONE_EVENT_PAYLOAD_TYPE: Final = 101

_BY_NAME: Final = {codec.name.lower(): codec for codec in CODECS}


def codec_named(name: str) -> Codec | None:
    """By its SDP name in any case (RFC 8866 6.6: encoding names are case-insensitive)."""
    return _BY_NAME.get(name.lower())


class OfferedFormat(Protocol):
    """A payload type as a session description names it, static ones by RFC 3551's table."""

    @property
    def payload_type(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def clock_rate(self) -> int: ...


class Chosen(NamedTuple):
    """The codec to speak under the peer's numbers; `event_payload_type` is None for a peer without RFC 4733."""

    codec: Codec
    payload_type: int
    event_payload_type: int | None
    event_clock_rate: int


def choose(offered: Sequence[OfferedFormat], among: Sequence[Codec] = CODECS) -> Chosen | None:
    """The first format of the offer that we speak: the offer's order is the peer's preference (RFC 3264 6.1).

    Telephone events are those with the codec's clock (RFC 4733 2.1), else, as some phones offer one set only, any.
    None when nothing offered is among ours.
    """
    for offer in offered:
        codec = codec_named(offer.name)
        if codec is not None and codec in among and offer.clock_rate == codec.clock_rate:
            events = [other for other in offered if other.name.lower() == TELEPHONE_EVENT]
            events.sort(key=lambda event: event.clock_rate != codec.clock_rate)
            if not events:
                return Chosen(codec, offer.payload_type, None, codec.clock_rate)
            return Chosen(codec, offer.payload_type, events[0].payload_type, events[0].clock_rate)
    return None


class UndecodablePayload(ValueError):  # noqa: N818 - what is wrong, not that something is
    """The payload is not of its codec. The decoder goes on with the next one."""


class Encoder(Protocol):
    """One stream, in order."""

    def encode(self, pcm: bytes) -> bytes:
        """The payload of one frame: `pcm` is `codec.pcm_bytes_per_frame` long, at `codec.sample_rate`."""
        ...


class Decoder(Protocol):
    """One stream, in order."""

    def decode(self, payload: bytes) -> bytes:
        """PCM at `codec.sample_rate`; raises UndecodablePayload. Opus may hold back a few samples at first."""
        ...


def encoder_of(codec: Codec) -> Encoder:
    """A new stream."""
    if codec is PCMA:
        return _AlawEncoder()
    if codec is PCMU:
        return _UlawEncoder()
    return _FfmpegEncoder(codec)


def decoder_of(codec: Codec) -> Decoder:
    """A new stream."""
    if codec is PCMA:
        return _AlawDecoder()
    if codec is PCMU:
        return _UlawDecoder()
    return _FfmpegDecoder(codec)


def encode_recording(codec: Codec, pcm: bytes) -> list[bytes]:
    """A whole recording as the payloads of its frames; the last frame is filled up with silence."""
    encoder = encoder_of(codec)
    size = codec.pcm_bytes_per_frame
    silence = bytes(size)
    payloads: list[bytes] = []
    silent_frames = 0
    for start in range(0, len(pcm), size):
        frame = pcm[start : start + size].ljust(size, b"\0")
        silent_frames = silent_frames + 1 if frame == silence else 0
        is_settled = silent_frames > SETTLED_FRAMES
        payloads.append(payloads[-1] if is_settled else encoder.encode(frame))
    return payloads


def encode_round(codec: Codec, pcm: bytes) -> list[bytes]:
    """What is played over and over, as the payloads of one round: it is encoded twice, and the second half kept.

    So a decoder with a memory (G.722, Opus) is at the end of a round in the state in which it began it, and nothing is
    heard of the seam. `pcm` should end with a frame. G.711 has no memory.
    """
    if codec in (PCMA, PCMU):
        return encode_recording(codec, pcm)
    payloads = encode_recording(codec, pcm + pcm)
    return payloads[len(payloads) // 2 :]


def decode_recording(codec: Codec, payloads: Iterable[bytes]) -> bytes:
    """The PCM of all payloads. Raises UndecodablePayload."""
    decoder = decoder_of(codec)
    return b"".join(decoder.decode(payload) for payload in payloads)


class _AlawEncoder:
    __slots__ = ()

    def encode(self, pcm: bytes) -> bytes:
        return g711.encode_alaw(pcm)


class _UlawEncoder:
    __slots__ = ()

    def encode(self, pcm: bytes) -> bytes:
        return g711.encode_ulaw(pcm)


class _AlawDecoder:
    __slots__ = ()

    def decode(self, payload: bytes) -> bytes:
        return g711.decode_alaw(payload)


class _UlawDecoder:
    __slots__ = ()

    def decode(self, payload: bytes) -> bytes:
        return g711.decode_ulaw(payload)


class _FfmpegEncoder:
    """G.722 or Opus. Both give one packet for one frame, at once."""

    __slots__ = ("_context", "_samples", "_size", "_written")

    def __init__(self, codec: Codec) -> None:
        self._context = _context("libopus" if codec is OPUS else "g722", "w", codec.sample_rate)
        if codec is OPUS:
            self._context.bit_rate = OPUS_BITS_PER_SECOND
            # Speech, and no gaps: a receiver that counts packets takes discontinuous transmission for loss.
            self._context.options = {"application": "voip", "frame_duration": str(FRAME_MS), "dtx": "0"}
        self._context.open()
        self._size = codec.pcm_bytes_per_frame
        self._samples = self._size // BYTES_PER_SAMPLE
        self._written = 0

    def encode(self, pcm: bytes) -> bytes:
        if len(pcm) != self._size:
            raise ValueError(f"{len(pcm)} bytes of PCM are no frame of {FRAME_MS} ms, which has {self._size}")
        frame = _frame(pcm, self._context.sample_rate)
        frame.pts = self._written
        self._written += self._samples
        return b"".join(bytes(packet) for packet in self._context.encode(frame))


class _FfmpegDecoder:
    """G.722 or Opus; Opus comes out at 48 kHz and is brought down to its `sample_rate`."""

    __slots__ = ("_context", "_resampler")

    def __init__(self, codec: Codec) -> None:
        decoded_rate = codec.clock_rate if codec is OPUS else codec.sample_rate
        self._context = _context("libopus" if codec is OPUS else "g722", "r", decoded_rate)
        self._context.open()
        self._resampler = None
        if decoded_rate != codec.sample_rate:
            self._resampler = AudioResampler(format="s16", layout="mono", rate=codec.sample_rate)

    def decode(self, payload: bytes) -> bytes:
        # An empty packet would tell FFmpeg that the stream is over, for good.
        if not 0 < len(payload) <= PAYLOAD_BYTES_MAX:
            raise UndecodablePayload(f"a payload of {len(payload)} octets")
        try:
            frames = self._context.decode(av.Packet(payload))
            if self._resampler is not None:
                frames = [resampled for frame in frames for resampled in self._resampler.resample(frame)]
        except FFmpegError as problem:
            raise UndecodablePayload(f"{len(payload)} octets: {problem.strerror}") from None
        return b"".join(pcm_of(frame) for frame in frames)


def pcm_of(frame: av.AudioFrame) -> bytes:
    """The samples of a mono 16-bit frame, without the padding that FFmpeg's buffers have."""
    return bytes(memoryview(frame.planes[0])[: frame.samples * BYTES_PER_SAMPLE])


def _context(name: str, mode: Literal["r", "w"], rate: int) -> AudioCodecContext:
    context = av.CodecContext.create(name, mode)
    assert isinstance(context, AudioCodecContext)
    context.sample_rate = rate
    context.layout = "mono"
    context.format = "s16"
    return context


def _frame(pcm: bytes, rate: int) -> av.AudioFrame:
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(pcm) // BYTES_PER_SAMPLE)
    # The buffer's alignment may make the plane longer than the samples.
    plane = frame.planes[0]
    plane.update(pcm.ljust(plane.buffer_size, b"\0"))
    frame.sample_rate = rate
    frame.time_base = Fraction(1, rate)
    return frame
