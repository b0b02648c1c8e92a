"""Figures of one stream as it arrives, and what a listener would think of it.

Sequence numbers as in RFC 3550 A.1, jitter as in A.8, without RTCP. The opinion score is the E-model's (ITU-T G.107)
with everything at its default but loss, delay and codec: R = 93.2 - Id - Ie,eff.
"""

from __future__ import annotations

from array import array
from typing import Final

# RFC 3550 A.1.
DROPOUT_MAX: Final = 3000
MISORDER_MAX: Final = 100
HALF: Final = 0x8000
# Numbers of this many packets back are remembered, to tell a late packet from a second one.
REMEMBERED: Final = 128
# A timestamp that leaps by more than this against the clock is a sender that started anew after a hold, no jitter.
LEAP_S: Final = 2.0

# What G.107 leaves with all parameters at their defaults (Table 3 there).
DEFAULT_RATING: Final = 93.2
# Ie and Bpl by ITU-T G.113 Appendix I: G.711 with a receiver that conceals losses, as telephones do; G.729A and
# G.723.1 (6.3 kbit/s) with silence suppression; GSM full rate. G.722 at 64 kbit/s has Ie,wb 13 on the wideband scale
# that is 1.29 times as long (G.113 Appendix IV, G.107.1); its robustness is taken to be G.711's without concealment.
IMPAIRMENTS: Final[dict[str, tuple[float, float]]] = {
    "PCMU": (0.0, 25.1),
    "PCMA": (0.0, 25.1),
    "G722": (13.0 / 1.29, 4.3),
    "G729": (11.0, 19.0),
    "G723": (15.0, 16.1),
    "GSM": (20.0, 43.0),
}
# Speech waits in the sender for its packet to be full, 20 ms, and in the receiver's jitter buffer, of about twice the
# jitter.
PACKET_S: Final = 0.020
BUFFER_JITTERS: Final = 2.0

_NOTHING_RECENT: Final = [-1] * REMEMBERED


class Stream:
    """What one peer has sent. `clock_rate` is the codec's, Hz; 0 measures no jitter.

    Counts go on when the SSRC changes: it is the same peer to whoever listens. A thousand of these are written to in
    turn, each time out of cold memory; so what can be told from another count is not counted.
    """

    __slots__ = (
        "_bad_sequence", "_before_first", "_highest", "_is_gap_excused", "_is_transit_known", "_jitter", "_jitter_max",
        "_jitter_sum", "_recent", "_timestamp", "_timestamp_at", "_untimed", "clock_rate", "duplicates", "first_at",
        "gap_s", "last_at", "octets", "packets", "reordered", "ssrc",
    )  # fmt: skip

    def __init__(self) -> None:
        self.clock_rate = 0
        self.packets = 0
        self.octets = 0
        self.reordered = 0
        self.duplicates = 0
        self.gap_s = 0.0
        self.first_at = 0.0
        self.last_at = 0.0
        self.ssrc = -1
        self._highest = 0  # with its cycles: it does not wrap
        self._before_first = 0  # so that the difference is what was expected
        self._bad_sequence = -1
        self._recent = array("i", _NOTHING_RECENT)
        self._is_gap_excused = True
        self._is_transit_known = False
        self._timestamp = 0
        self._timestamp_at = 0.0
        self._jitter = 0.0
        self._jitter_max = 0.0
        self._jitter_sum = 0.0
        self._untimed = 0

    @property
    def highest(self) -> int:
        """The newest sequence number."""
        return self._highest & 0xFFFF

    @property
    def expected(self) -> int:
        return self._highest - self._before_first

    @property
    def lost(self) -> int:
        return max(0, self.expected - (self.packets - self.duplicates))

    @property
    def timed(self) -> int:
        """How many packets `jitter_sum_s` is of."""
        return self.packets - self._untimed

    @property
    def jitter_sum_s(self) -> float:
        return self._jitter_sum

    @property
    def jitter_mean_s(self) -> float:
        timed = self.timed
        return self._jitter_sum / timed if timed > 0 else 0.0

    @property
    def jitter_max_s(self) -> float:
        return self._jitter_max

    def excuse_gap(self) -> None:
        """The time until the next packet is not a gap: the peer was on hold, or still is."""
        self._is_gap_excused = True

    def change_clock(self, clock_rate: int) -> None:
        """Another codec speaks from the next packet on."""
        if clock_rate != self.clock_rate:
            self.clock_rate = clock_rate
            self._is_transit_known = False
            self._jitter = 0.0

    def heard(self, octets: int, now: float) -> None:
        """A packet without a sequence number or timestamp to speak of."""
        if not self.packets:
            self.first_at = now
        elif self._is_gap_excused:
            self._is_gap_excused = False
        elif now - self.last_at > self.gap_s:
            self.gap_s = now - self.last_at
        self.packets += 1
        self.octets += octets
        self.last_at = now

    def received(  # noqa: PLR0912 - on each packet; a call more would cost more than a branch more
        self, sequence: int, timestamp: int, ssrc: int, octets: int, now: float, *, is_timed: bool
    ) -> None:
        """An RTP packet. `is_timed`: its timestamp is when it was said; of a key held down it is not."""
        if not self.packets:
            self.first_at = now
            self._start(sequence, ssrc)
        elif ssrc == self.ssrc and (sequence - self._highest) & 0xFFFF == 1:
            self._highest += 1
            self._recent[sequence % REMEMBERED] = sequence
        else:
            self._out_of_turn(sequence, ssrc)
        if self._is_gap_excused:
            self._is_gap_excused = False
        elif now - self.last_at > self.gap_s:
            self.gap_s = now - self.last_at
        self.packets += 1
        self.octets += octets
        self.last_at = now
        clock_rate = self.clock_rate
        if not is_timed or not clock_rate:
            self._untimed += 1
            return
        if self._is_transit_known:
            advance = (timestamp - self._timestamp) & 0xFFFFFFFF
            if advance >= 0x80000000:
                advance -= 0x100000000
            difference = (now - self._timestamp_at) - advance / clock_rate
            if difference < 0.0:
                difference = -difference
            if difference < LEAP_S:
                jitter = self._jitter
                jitter += (difference - jitter) / 16.0
                self._jitter = jitter
                self._jitter_sum += jitter
                if jitter > self._jitter_max:  # noqa: PLR1730 - max() costs four times as much, on each packet
                    self._jitter_max = jitter
            else:
                self._untimed += 1
        else:
            self._is_transit_known = True
            self._untimed += 1
        self._timestamp = timestamp
        self._timestamp_at = now

    def _start(self, sequence: int, ssrc: int) -> None:
        expected = self.expected + 1
        self.ssrc = ssrc
        self._highest = sequence
        self._before_first = sequence - expected
        self._bad_sequence = -1
        self._recent = array("i", _NOTHING_RECENT)
        self._recent[sequence % REMEMBERED] = sequence
        self._is_transit_known = False

    def _out_of_turn(self, sequence: int, ssrc: int) -> None:
        """A new SSRC, or not the number after the last one."""
        step = (sequence - self._highest) & 0xFFFF
        if ssrc != self.ssrc:
            self._start(sequence, ssrc)
        elif 0 < step < DROPOUT_MAX:
            self._highest += step
            self._recent[sequence % REMEMBERED] = sequence
        elif (0x10000 - step) & 0xFFFF <= MISORDER_MAX:
            if self._recent[sequence % REMEMBERED] == sequence:
                self.duplicates += 1
            else:
                self.reordered += 1
                self._recent[sequence % REMEMBERED] = sequence
        elif sequence == self._bad_sequence:  # two in a row: the sender has started anew
            self._start(sequence, ssrc)
        else:
            self._bad_sequence = (sequence + 1) & 0xFFFF
            self._before_first -= 1


def rating(codec: str, *, loss: float, delay_s: float) -> float | None:
    """The E-model's R for a codec, a share of lost packets (0 to 1) and a one-way delay; None for an unknown codec."""
    impairment = IMPAIRMENTS.get(codec.upper())
    if impairment is None:
        return None
    equipment, robustness = impairment
    loss_percent = loss * 100.0
    # G.107 7.5 with losses at random (BurstR 1).
    effective = equipment + (95.0 - equipment) * loss_percent / (loss_percent + robustness)
    return DEFAULT_RATING - _delay_impairment(delay_s * 1000.0) - effective


def _delay_impairment(delay_ms: float) -> float:
    """Id, by the two straight lines that Cole and Rosenbluth fitted to G.107 (Voice over IP performance monitoring,
    2001)."""
    return 0.024 * delay_ms + (0.11 * (delay_ms - 177.3) if delay_ms > 177.3 else 0.0)


def opinion_score(r: float) -> float:
    """MOS of R: G.107 Annex B."""
    if r <= 0.0:
        return 1.0
    if r >= 100.0:
        return 4.5
    return max(1.0, 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6)


def stream_score(stream: Stream, codec: str, *, round_trip_s: float) -> float:
    """MOS of what has come so far; 0.0 when nothing has, or when the codec is not in the table."""
    if not stream.packets or not stream.expected:
        return 0.0
    delay_s = round_trip_s / 2.0 + PACKET_S + BUFFER_JITTERS * stream.jitter_mean_s
    r = rating(codec, loss=stream.lost / stream.expected, delay_s=delay_s)
    return 0.0 if r is None else opinion_score(r)
