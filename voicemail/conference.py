"""Conferences: each party hears the sum of the others. 8 kHz; one beat of 20 ms for all. Pure but for PyAV's resampler.

Parties who speak G.711 cost least: who is silent at the moment shares one encoding with all who are. G.722 and Opus are
brought to 8 kHz and back. A coming and a going is heard as two notes by everybody. When one party has been alone for
five seconds after others have left, or has waited a minute for the first one to come, the conference is over.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from typing import Final

from av import AudioFrame
from av.audio.resampler import AudioResampler

from media.codecs import BYTES_PER_SAMPLE, FRAMES_PER_SECOND, PCMA, PCMU, Codec, pcm_of
from media.tones import Burst, Tone, tone_pcm
from voicemail.coder import Coder
from voicemail.jitter_buffer import JitterBuffer
from voicemail.mixing import PARTIES_MAX, Samples, added, encoded, saturated, without

RATE: Final = 8000
FRAME_SAMPLES: Final = RATE // FRAMES_PER_SECOND
FRAME_BYTES: Final = FRAME_SAMPLES * BYTES_PER_SAMPLE
G711: Final = (PCMA, PCMU)
LEFT_ALONE_S: Final = 5.0
# Who comes first waits for the others, as long as a phone rings.
FIRST_ALONE_S: Final = 60.0
_NOTES: Final = (620, 830)  # Hz, going up for who comes


class Party:
    """One of a conference. `buffer` hears it, `payload` is what it is sent in this beat."""

    __slots__ = ("_encoder", "_on_alone", "buffer", "codec", "own", "payload")

    def __init__(self, codec: Codec, on_alone: Callable[[float], None]) -> None:
        self._on_alone = on_alone
        self.own: Samples | None = None  # what it says in this beat
        self.payload: bytes | None = None
        self.change_codec(codec)

    def change_codec(self, codec: Codec) -> None:
        """What was being said in the old one is lost."""
        coder = Coder(codec)
        self.codec = codec
        decode = coder.decode
        self._encoder: _WideEncoder | None = None
        if codec not in G711:
            decode = _Narrow(coder).decode
            self._encoder = _WideEncoder(coder)
        self.buffer = JitterBuffer(decode, frame_bytes=FRAME_BYTES)
        self.payload = None

    def listen(self) -> None:
        sound = self.buffer.take()
        self.own = None if sound is None else array("h", sound)

    def hear(self, total: Samples) -> None:
        """Coded for this party alone."""
        self.payload = encoded(total, self.codec) if self._encoder is None else self._encoder.encode(total)

    def end(self, now: float) -> None:
        self._on_alone(now)


class Conference:
    """One. `parties` in the order of their coming."""

    __slots__ = ("_alone_since", "_had_others", "_tone", "name", "parties")

    def __init__(self, name: str, now: float) -> None:
        self.name = name
        self.parties: list[Party] = []
        self._alone_since: float | None = now
        self._had_others = False
        self._tone: deque[Samples] = deque()

    @property
    def is_full(self) -> bool:
        return len(self.parties) >= PARTIES_MAX

    def join(self, codec: Codec, on_alone: Callable[[float], None], now: float) -> Party:
        """`on_alone` is called when the conference is over. Who may come in has been asked before (`is_full`)."""
        party = Party(codec, on_alone)
        self.parties.append(party)
        self._changed(now)
        self._tone.extend(_COMING)
        return party

    def leave(self, party: Party, now: float) -> None:
        if party in self.parties:
            self.parties.remove(party)
            self._changed(now)
            self._tone.extend(_GOING)

    def _changed(self, now: float) -> None:
        is_alone = len(self.parties) == 1
        self._had_others = self._had_others or len(self.parties) > 1
        self._alone_since = now if is_alone else None

    def beat(self, now: float) -> None:
        """20 ms: what each hears."""
        tone = self._tone.popleft() if self._tone else None
        total: Samples | None = tone
        for party in self.parties:
            party.listen()
            if party.own is not None:
                total = added(total, party.own)
        self._tell(total)
        limit_s = LEFT_ALONE_S if self._had_others else FIRST_ALONE_S
        if self._alone_since is not None and now - self._alone_since >= limit_s:
            for party in list(self.parties):
                party.end(now)

    def _tell(self, total: Samples | None) -> None:
        if total is None:
            for party in self.parties:
                party.payload = None  # silence
            return
        shared: dict[Codec, bytes] = {}
        for party in self.parties:
            if party.own is not None:
                party.hear(without(total, party.own))
            elif party.codec not in G711:
                party.hear(total)
            else:
                if party.codec not in shared:
                    shared[party.codec] = encoded(total, party.codec)
                party.payload = shared[party.codec]


class Conferences:
    """All of them, by name. `max_` at once; a new one beyond is refused."""

    __slots__ = ("_max", "by_name")

    def __init__(self, max_: int) -> None:
        self._max = max_
        self.by_name: dict[str, Conference] = {}

    @property
    def parties(self) -> int:
        return sum(len(conference.parties) for conference in self.by_name.values())

    def refusal(self, name: str) -> str:
        """Why nobody can come in now, or ""."""
        conference = self.by_name.get(name)
        if conference is None:
            return "conferences_max" if len(self.by_name) >= self._max else ""
        return "parties_max" if conference.is_full else ""

    def of(self, name: str, now: float) -> Conference:
        """The one of that name, begun if there is none."""
        conference = self.by_name.get(name)
        if conference is None:
            conference = self.by_name[name] = Conference(name, now)
        return conference

    def beat(self, now: float) -> None:
        for conference in list(self.by_name.values()):
            conference.beat(now)
            if not conference.parties:
                del self.by_name[conference.name]


class _Narrow:
    """A wideband codec's sound at 8 kHz."""

    __slots__ = ("_coder", "_resampler")

    def __init__(self, coder: Coder) -> None:
        self._coder = coder
        self._resampler = AudioResampler(format="s16", layout="mono", rate=RATE)

    def decode(self, payload: bytes) -> bytes:
        return _resampled(self._resampler, self._coder.decode(payload), self._coder.sample_rate)


class _WideEncoder:
    """8 kHz as a wideband codec's frames; the resampler's delay is made up for by a frame of silence at first."""

    __slots__ = ("_coder", "_ready", "_resampler")

    def __init__(self, coder: Coder) -> None:
        self._coder = coder
        self._resampler = AudioResampler(format="s16", layout="mono", rate=coder.sample_rate)
        self._ready = bytes(coder.packet_bytes)

    def encode(self, total: Samples) -> bytes:
        size = self._coder.packet_bytes
        self._ready += _resampled(self._resampler, saturated(total), RATE)
        frame, self._ready = self._ready[:size].ljust(size, b"\0"), self._ready[size:]
        return self._coder.encode(frame)


def _resampled(resampler: AudioResampler, pcm: bytes, rate: int) -> bytes:
    if not pcm:
        return b""
    frame = AudioFrame(format="s16", layout="mono", samples=len(pcm) // BYTES_PER_SAMPLE)
    plane = frame.planes[0]
    plane.update(pcm.ljust(plane.buffer_size, b"\0"))
    frame.sample_rate = rate
    return b"".join(pcm_of(part) for part in resampler.resample(frame))


def _notes(frequencies: tuple[int, ...]) -> list[Samples]:
    tone = Tone(tuple(Burst(100, ((frequency, -20.0),)) for frequency in frequencies))
    samples = array("h", tone_pcm(tone, RATE))
    return [samples[at : at + FRAME_SAMPLES] for at in range(0, len(samples), FRAME_SAMPLES)]


_COMING: Final = _notes(_NOTES)
_GOING: Final = _notes(_NOTES[::-1])
