"""Conferences: everybody hears the others and not himself, in every codec; the end; limits. No socket, no clock."""

import math
from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.codecs import G722, OPUS, PCMA, PCMU, Codec, decoder_of, encoder_of
from media.g711 import decode_alaw, decode_ulaw, encode_alaw, encode_ulaw
from tests.media.spectrum import level_at, level_dbm0, sine
from voicemail.conference import FIRST_ALONE_S, LEFT_ALONE_S, Conference, Conferences
from voicemail.mixing import PARTIES_MAX, added, encoded, saturated, without

SECONDS = 2.0


class Phone:
    """Speaks a tone, keeps what it hears."""

    def __init__(self, conference: Conference, hz: int, codec: Codec = PCMA, level: float = -13.0) -> None:
        self.codec = codec
        self.hz = hz
        self.is_ended = False
        self.party = conference.join(codec, self._end, 0.0)
        pcm = sine(hz, codec.sample_rate, SECONDS + 1, level) if hz else b""
        size = codec.pcm_bytes_per_frame
        encoder = encoder_of(codec)
        self._payloads = [encoder.encode(pcm[at : at + size]) for at in range(0, len(pcm) - size, size)]
        self._decoder = decoder_of(codec)
        self._sent = 0
        self.heard = b""

    def _end(self, now: float) -> None:
        self.is_ended = True

    def speak(self) -> None:
        if self._sent < len(self._payloads):
            self.party.buffer.receive(
                source=1, sequence=self._sent, timestamp=0, payload=self._payloads[self._sent], now=0.0
            )
            self._sent += 1

    def listen(self) -> None:
        payload = self.party.payload
        silence = bytes(self.codec.pcm_bytes_per_frame)
        self.heard += silence if payload is None else self._decoder.decode(payload)

    def level_of(self, hz: int) -> float:
        """In the second that begins half a second after the tones of coming."""
        rate = self.codec.sample_rate
        return level_at(self.heard[rate * 2 : rate * 4], rate, hz)


def talk(conference: Conference, phones: list[Phone], seconds: float = SECONDS + 0.5) -> None:
    for beat in range(int(seconds * 50)):
        for phone in phones:
            phone.speak()
        conference.beat(beat * 0.02)
        for phone in phones:
            phone.listen()


CODECS = [(PCMA, PCMA, PCMU), (PCMA, G722, PCMU), (G722, OPUS, PCMA)]


@pytest.mark.parametrize("codecs", CODECS, ids=lambda codecs: "-".join(codec.name for codec in codecs))
def test_three_hear_each_other_and_not_themselves(codecs: tuple[Codec, ...]) -> None:
    conference = Conference("room", 0.0)
    phones = [Phone(conference, hz, codec) for hz, codec in zip((400, 1000, 1600), codecs, strict=True)]
    talk(conference, phones)
    for phone in phones:
        for other in phones:
            level = phone.level_of(other.hz)
            if other is phone:
                assert level < -45, "somebody hears himself"
            else:
                assert level == pytest.approx(-13, abs=2)


def test_who_listens_in_silence_hears_the_sum_encoded_once() -> None:
    conference = Conference("room", 0.0)
    speakers = [Phone(conference, 400), Phone(conference, 1000)]
    listeners = [Phone(conference, 0), Phone(conference, 0), Phone(conference, 0, PCMU)]
    talk(conference, [*speakers, *listeners])
    assert listeners[0].party.payload is listeners[1].party.payload
    assert all(listener.level_of(hz) > -15 for listener in listeners for hz in (400, 1000))


def test_a_coming_and_a_going_are_heard() -> None:
    conference = Conference("room", 0.0)
    first, second = Phone(conference, 0), Phone(conference, 0)
    talk(conference, [first, second], 1.0)
    assert level_dbm0(first.heard[: 2 * 1600]) == pytest.approx(-20, abs=1)
    assert level_dbm0(first.heard[2 * 4800 :]) < -60
    first.heard = b""
    conference.leave(second.party, 1.0)
    talk(conference, [first], 0.2)
    assert level_dbm0(first.heard) == pytest.approx(-20, abs=1)
    assert level_at(first.heard[: 2 * 800], 8000, 830) > -24 > level_at(first.heard[2 * 800 :], 8000, 830)


def test_everybody_at_once_and_loud_is_limited_and_does_not_wrap() -> None:
    conference = Conference("room", 0.0)
    phones = [Phone(conference, 400, level=0.0) for _ in range(PARTIES_MAX)]
    assert conference.is_full
    talk(conference, phones, 1.0)
    loudest = array("h", phones[0].heard)
    assert max(loudest) > 30_000
    assert min(loudest) < -30_000
    steps = [abs(later - earlier) for earlier, later in pairwise(loudest)]
    assert max(steps) < 62_000, "a sum that wrapped round leaps from end to end within a sample"


def test_it_is_over_when_one_has_been_left_for_five_seconds() -> None:
    conference = Conference("room", 0.0)
    first, second = Phone(conference, 0), Phone(conference, 0)
    conference.beat(100.0)
    conference.leave(second.party, 100.0)
    conference.beat(100.0 + LEFT_ALONE_S - 0.1)
    assert not first.is_ended
    conference.beat(100.0 + LEFT_ALONE_S)
    assert first.is_ended


def test_who_comes_back_in_time_goes_on() -> None:
    conference = Conference("room", 0.0)
    first, second = Phone(conference, 0), Phone(conference, 0)
    conference.leave(second.party, 100.0)
    conference.join(PCMA, lambda _: None, 104.0)
    conference.beat(110.0)
    assert not first.is_ended


def test_the_first_waits_a_minute_for_the_second() -> None:
    conference = Conference("room", 0.0)
    first = Phone(conference, 0)
    conference.beat(FIRST_ALONE_S - 1)
    assert not first.is_ended
    conference.beat(FIRST_ALONE_S)
    assert first.is_ended


def test_conferences_have_a_limit_and_are_forgotten() -> None:
    conferences = Conferences(1)
    room = conferences.of("a", 0.0)
    phones = [Phone(room, 0) for _ in range(PARTIES_MAX)]
    assert conferences.refusal("a") == "parties_max"
    assert conferences.refusal("b") == "conferences_max"
    assert conferences.parties == PARTIES_MAX
    for phone in phones:
        room.leave(phone.party, 1.0)
    conferences.beat(1.0)
    assert conferences.by_name == {}
    assert conferences.refusal("b") == ""


def test_who_left_twice_has_left_once() -> None:
    conference = Conference("room", 0.0)
    phone = Phone(conference, 0)
    conference.leave(phone.party, 0.0)
    conference.leave(phone.party, 0.0)
    assert conference.parties == []


SAMPLES = st.lists(st.integers(-32768, 32767), min_size=8, max_size=8)


@given(st.lists(SAMPLES, min_size=1, max_size=PARTIES_MAX + 1))
def test_a_sum_is_encoded_as_the_sample_that_it_is_limited_to(frames: list[list[int]]) -> None:
    total = None
    for frame in frames:
        total = added(total, frame)
    assert total is not None
    assert list(total) == [sum(column) for column in zip(*frames, strict=True)]
    limited = saturated(total)
    assert array("h", limited).tolist() == [max(-32768, min(32767, value)) for value in total]
    assert encoded(total, PCMA) == encode_alaw(limited)
    assert encoded(total, PCMU) == encode_ulaw(limited)
    assert without(total, frames[0]) == [value - own for value, own in zip(total, frames[0], strict=True)]


def test_the_laws_are_those_of_a_single_speaker() -> None:
    tone = array("h", sine(1000, 8000, 0.02))
    assert math.isclose(
        level_dbm0(decode_alaw(encoded(tone, PCMA))),
        level_dbm0(decode_ulaw(encoded(tone, PCMU))),
        abs_tol=0.1,
    )
