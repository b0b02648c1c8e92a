"""Keys that are pressed during a call, as telephone events in RTP (RFC 4733): read, and written.

An event is many packets with one timestamp, its beginning; each says how long it has lasted by now, in units of the
stream's clock, and the last ones, sent three times, carry the end bit. Only the DTMF events 0 to 15 (3.2) are keys; the
rest (flash, fax, the tones of 2.5.2) is left out.
"""

from typing import Final, NamedTuple

KEYS: Final = "0123456789*#ABCD"

# 2.3: event, then end bit, reserved bit and six bits of volume, then duration.
PAYLOAD_BYTES: Final = 4
_END: Final = 0x80
_DURATION_MAX: Final = 0xFFFF
_HALF_OF_TIMESTAMPS: Final = 0x80000000
_TIMESTAMP_MASK: Final = 0xFFFFFFFF

# 2.5.1.2: a sender that stops without an end packet has left the event when nothing came for three packets; senders
# pace them at up to 50 ms.
SILENT_MS: Final = 150
# A packet this much older than the event before it, and marked as a beginning, is of a sender that began to count anew.
RESTART_MS: Final = 5000
# People press 5 a second, diallers send 10 (40 ms on, 40 ms off would be 12.5, ITU-T Q.24). The burst is a number and a
# PIN that waited in a gateway.
KEYS_PER_SECOND: Final = 15.0
KEYS_BURST: Final = 30.0

# 2.5.1.4: the last packet is sent three times in all.
END_PACKETS: Final = 3
PACKET_MS: Final = 20
# -10 dBm0 (2.3.4), what most phones send.
VOLUME: Final = 10


class Key(NamedTuple):
    """A key of KEYS, and how long it was held."""

    digit: str
    duration_ms: int


class _Event:
    """What is known of the event that a stream is in."""

    __slots__ = ("before", "begun", "code", "duration", "is_said")

    def __init__(self, code: int, begun: int, before: int) -> None:
        self.code = code
        self.begun = begun  # the timestamp of all its packets
        self.before = before  # ticks in earlier segments of a long event (2.5.1.3)
        self.duration = 0
        self.is_said = False


class KeyReader:
    """The keys in one RTP stream. Each is said once: at its first end packet, or when it is known to be over.

    `dropped` counts keys beyond the rate limit, `malformed` packets that are too short or no DTMF event.
    """

    __slots__ = ("_allowance", "_event", "_filled_at", "_ticks_per_ms", "dropped", "malformed")

    def __init__(self, clock_rate: int, now: float) -> None:
        self._ticks_per_ms = max(clock_rate // 1000, 1)
        self._event: _Event | None = None
        self._allowance = KEYS_BURST
        self._filled_at = now
        self.dropped = 0
        self.malformed = 0

    @property
    def is_in_event(self) -> bool:
        """A key is held: `pass_time` may tell that it was let go."""
        return self._event is not None and not self._event.is_said

    def receive(self, payload: bytes, timestamp: int, marker: bool, now: float) -> tuple[Key, ...]:
        """A packet of telephone-event. Two keys when the end of the first was lost; `now` in seconds."""
        if len(payload) < PAYLOAD_BYTES or payload[0] >= len(KEYS):
            self.malformed += 1
            return ()
        duration = payload[2] << 8 | payload[3]
        event = self._event
        missed: tuple[Key, ...] = ()
        if event is None or timestamp != event.begun:
            if event is not None and self._is_late(event, timestamp, marker):
                return ()
            missed = self._begin(event, payload[0], timestamp, now)
            event = self._event
            assert event is not None
        if event.is_said or payload[0] != event.code:
            return missed
        event.duration = max(event.duration, duration)
        return missed + self._say(event, now) if payload[1] & _END else missed

    def pass_time(self, timestamp: int, now: float) -> tuple[Key, ...]:
        """Another packet of the stream (sound) carries this timestamp: is the key that was held let go?"""
        event = self._event
        if event is None or event.is_said:
            return ()
        since_last = _ticks_between(event.begun, timestamp) - event.duration
        return self._say(event, now) if since_last > SILENT_MS * self._ticks_per_ms else ()

    def _is_late(self, event: _Event, timestamp: int, marker: bool) -> bool:
        ticks = _ticks_between(event.begun, timestamp)
        return ticks < 0 and not (marker and ticks < -RESTART_MS * self._ticks_per_ms)

    def _begin(self, event: _Event | None, code: int, timestamp: int, now: float) -> tuple[Key, ...]:
        """A new event, or the next segment of one that lasts longer than its packets can say."""
        if event is not None and not event.is_said and event.code == code:
            ticks = _ticks_between(event.begun, timestamp)
            if ticks == _DURATION_MAX:
                self._event = _Event(code, timestamp, event.before + _DURATION_MAX)
                return ()
        missed = self._say(event, now) if event is not None and not event.is_said else ()
        self._event = _Event(code, timestamp, 0)
        return missed

    def _say(self, event: _Event, now: float) -> tuple[Key, ...]:
        event.is_said = True
        earned = max(now - self._filled_at, 0.0) * KEYS_PER_SECOND
        self._allowance = min(self._allowance + earned, KEYS_BURST)
        self._filled_at = now
        if self._allowance < 1.0:
            self.dropped += 1
            return ()
        self._allowance -= 1.0
        return (Key(KEYS[event.code], (event.before + event.duration) // self._ticks_per_ms),)


def _ticks_between(earlier: int, later: int) -> int:
    """Signed, as timestamps wrap."""
    return ((later - earlier + _HALF_OF_TIMESTAMPS) & _TIMESTAMP_MASK) - _HALF_OF_TIMESTAMPS


class EventPacket(NamedTuple):
    """One packet to send: all have the timestamp of the first, sequence numbers grow. `after_ms` is since the first."""

    after_ms: int
    marker: bool
    payload: bytes


def event_packets(
    digit: str, *, duration_ms: int, clock_rate: int, volume: int = VOLUME
) -> list[EventPacket]:
    """The packets of one key, one in 20 ms, the end said three times.

    Raises ValueError for what is no key, and for a duration that a packet cannot say (8 s at 8000 Hz).
    """
    code = KEYS.find(digit) if len(digit) == 1 else -1
    if code < 0:
        raise ValueError(f"{digit[:8]!r} is no key; expected one of {KEYS}")
    ticks = clock_rate * max(duration_ms, PACKET_MS) // 1000
    if ticks > _DURATION_MAX:
        raise ValueError(f"{duration_ms} ms at {clock_rate} Hz are more than an event packet can say")
    step = clock_rate * PACKET_MS // 1000
    held = range(step, ticks, step)
    packets = [
        EventPacket(number * PACKET_MS, not number, _payload(code, volume, lasted))
        for number, lasted in enumerate(held)
    ]
    ends = [
        EventPacket(number * PACKET_MS, not number, _payload(code, volume | _END, ticks))
        for number in range(len(held), len(held) + END_PACKETS)
    ]
    return packets + ends


def _payload(code: int, flags: int, duration: int) -> bytes:
    return bytes((code, flags)) + duration.to_bytes(2, "big")
