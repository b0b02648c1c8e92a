"""RTP packets of one caller -> one stretch of sound: put in order, gaps filled with silence, speech told from silence.

Pure: packets and `now` come in, samples go out. A recording is as long as the time it took: timestamps say where a
packet belongs, and the clock says how much they may claim, so that nobody can fill the disk faster than by speaking.
"""

from __future__ import annotations

from array import array
from operator import mul
from typing import Final

from voicemail.coder import BYTES_PER_SAMPLE, Coder

# A packet that is missing is waited for while so many later ones come in: 100 ms, the jitter of a bad evening.
HELD_MAX: Final = 5
# What a sender may be ahead of the clock: the packets of a burst after a stall, and a clock a little fast.
AHEAD_MAX_S: Final = 0.5
# A step back or a leap by more is another stream under the same name (after a transfer or a hold).
LEAP_MAX_S: Final = 10.0
# -50 dB of full scale as root mean square: below is the noise of a quiet room or of the line, above is speech.
SPEECH_LEVEL: Final = 104

SEQUENCES: Final = 1 << 16
TIMESTAMPS: Final = 1 << 32


class Recorder:
    """One recording. `take()` gives the samples since it was last asked."""

    __slots__ = (
        "_coder",
        "_expected_sequence",
        "_expected_timestamp",
        "_held",
        "_pending",
        "_source",
        "_started",
        "dropped",
        "samples",
        "spoken_samples",
    )

    def __init__(self, coder: Coder, now: float) -> None:
        self._coder = coder
        self._started = now
        self._held: dict[int, tuple[int, bytes]] = {}
        self._expected_sequence: int | None = None
        self._expected_timestamp: int | None = None
        self._source = 0
        self._pending: list[bytes] = []
        self.samples = 0  # recorded so far
        self.spoken_samples = 0  # up to the end of the last speech
        self.dropped = 0  # packets: too late, twice, or more than time allows

    @property
    def sample_rate(self) -> int:
        return self._coder.sample_rate

    @property
    def seconds(self) -> float:
        return self.samples / self._coder.sample_rate

    @property
    def spoken_seconds(self) -> float:
        return self.spoken_samples / self._coder.sample_rate

    def silent_for_s(self, now: float) -> float:
        """How long nothing has been said, whether silence is sent or nothing at all."""
        return now - self._started - self.spoken_seconds

    def receive(self, *, source: int, sequence: int, timestamp: int, payload: bytes, now: float) -> None:
        """One packet of the agreed codec; an empty payload for one of digits or comfort noise, which only counts."""
        if self._expected_sequence is None or source != self._source:
            self._begin_stream(source, sequence, now)
        assert self._expected_sequence is not None
        ahead = (sequence - self._expected_sequence) % SEQUENCES
        if ahead >= SEQUENCES // 2 or sequence in self._held:
            self.dropped += 1
            return
        self._held[sequence] = (timestamp, payload)
        if ahead > HELD_MAX * 10:  # it is not coming any more: the stream has moved on
            self._expected_sequence = min(self._held, key=self._distance)
        self._release(now, is_over=False)

    def finish(self, now: float) -> None:
        """What is still held, in order."""
        self._release(now, is_over=True)

    def take(self) -> bytes:
        taken = b"".join(self._pending)
        self._pending.clear()
        return taken

    def _begin_stream(self, source: int, sequence: int, now: float) -> None:
        self._release(now, is_over=True)
        self._source = source
        self._expected_sequence = sequence
        self._expected_timestamp = None

    def _distance(self, sequence: int) -> int:
        assert self._expected_sequence is not None
        return (sequence - self._expected_sequence) % SEQUENCES

    def _release(self, now: float, *, is_over: bool) -> None:
        held = self._held
        while held:
            sequence = self._expected_sequence
            assert sequence is not None
            if sequence not in held:
                if len(held) <= HELD_MAX and not is_over:
                    return
                sequence = min(held, key=self._distance)
            timestamp, payload = held.pop(sequence)
            self._expected_sequence = (sequence + 1) % SEQUENCES
            if payload:
                self._append(timestamp, payload, now)

    def _append(self, timestamp: int, payload: bytes, now: float) -> None:
        coder = self._coder
        sound = coder.decode(payload)
        count = len(sound) // BYTES_PER_SAMPLE
        allowed = int((now - self._started + AHEAD_MAX_S) * coder.sample_rate) - self.samples
        gap = min(self._gap(timestamp, now), max(allowed - count, 0))
        if count > allowed:
            self.dropped += 1
            return
        if gap:
            self._pending.append(bytes(gap * BYTES_PER_SAMPLE))
            self.samples += gap
        self._expected_timestamp = (timestamp + count * coder.clock_rate // coder.sample_rate) % TIMESTAMPS
        self._pending.append(sound)
        self.samples += count
        if is_speech(sound):
            self.spoken_samples = self.samples

    def _gap(self, timestamp: int, now: float) -> int:
        """Samples missing before this packet. The first packet of a stream begins where the clock is."""
        coder = self._coder
        if self._expected_timestamp is None:
            behind = int((now - self._started) * coder.sample_rate) - self.samples
            return behind if behind > AHEAD_MAX_S * coder.sample_rate else 0
        ticks = (timestamp - self._expected_timestamp) % TIMESTAMPS
        if ticks > LEAP_MAX_S * coder.clock_rate:
            # Back in time, or a leap: the clock of the wall says how much is missing.
            behind = int((now - self._started) * coder.sample_rate) - self.samples
            return max(behind - int(AHEAD_MAX_S * coder.sample_rate), 0)
        return ticks * coder.sample_rate // coder.clock_rate


def is_speech(sound: bytes) -> bool:
    """Whether a stretch of samples is louder than a quiet room."""
    values = array("h", sound)
    return bool(values) and sum(map(mul, values, values)) > SPEECH_LEVEL * SPEECH_LEVEL * len(values)
