"""Telephone events: what captures of phones say, and what bad links, odd senders and floods make of them."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.dtmf import (
    END_PACKETS,
    KEYS,
    KEYS_BURST,
    SILENT_MS,
    EventPacket,
    Key,
    KeyReader,
    event_packets,
)
from tests.media.captures import capture

RATE = 8000
TICKS_PER_MS = RATE // 1000
NAMES = {"pound": "#", "star": "*"} | {digit: digit for digit in "0123456789"}


def packets_of(digit: str, duration_ms: int = 100) -> list[EventPacket]:
    return event_packets(digit, duration_ms=duration_ms, clock_rate=RATE)


def read(reader: KeyReader, packets: list[EventPacket], timestamp: int, at: float = 0.0) -> list[Key]:
    keys = []
    for packet in packets:
        keys += reader.receive(packet.payload, timestamp, packet.marker, at + packet.after_ms / 1000)
    return keys


@pytest.mark.parametrize("name", NAMES)
def test_a_captured_key_is_the_one_in_the_name_of_its_file(name):
    packets = capture(f"dtmf_2833_{name}.pcap")
    reader = KeyReader(RATE, packets[0].at_s)
    keys = [
        key
        for packet in packets
        for key in reader.receive(packet.payload, packet.timestamp, packet.marker, packet.at_s)
    ]
    assert [key.digit for key in keys] == [NAMES[name]]
    assert keys[0].duration_ms == int.from_bytes(packets[-1].payload[2:4], "big") // TICKS_PER_MS
    assert reader.malformed == 0


def test_every_key_comes_back_once_with_its_duration():
    reader = KeyReader(RATE, 0.0)
    for number, digit in enumerate(KEYS):
        assert read(reader, packets_of(digit, 130), 1000 + 8000 * number, at=number) == [Key(digit, 130)]


def test_a_key_is_said_at_the_first_end_packet():
    *held, end = packets_of("5")[: -END_PACKETS + 1]
    reader = KeyReader(RATE, 0.0)
    assert read(reader, held, 0) == []
    assert reader.is_in_event
    assert read(reader, [end], 0) == [Key("5", 100)]
    assert not reader.is_in_event


def test_a_key_pressed_twice_is_two_keys():
    reader = KeyReader(RATE, 0.0)
    assert read(reader, packets_of("7"), 0) + read(reader, packets_of("7"), 1600) == [Key("7", 100)] * 2


def test_lost_ends_are_made_up_for_by_the_next_key():
    reader = KeyReader(RATE, 0.0)
    assert read(reader, packets_of("1")[:-END_PACKETS], 0) == []
    assert read(reader, packets_of("2"), 1600) == [Key("1", 80), Key("2", 100)]


def test_lost_ends_are_made_up_for_by_the_sound_that_follows():
    reader = KeyReader(RATE, 0.0)
    read(reader, packets_of("1")[:-END_PACKETS], 0)
    last_known = 80 * TICKS_PER_MS
    assert reader.pass_time(last_known + SILENT_MS * TICKS_PER_MS, 0.2) == ()
    assert reader.pass_time(last_known + SILENT_MS * TICKS_PER_MS + 1, 0.2) == (Key("1", 80),)
    assert reader.pass_time(last_known + SILENT_MS * TICKS_PER_MS + 161, 0.2) == ()
    assert read(reader, packets_of("1")[-END_PACKETS:], 0) == []


def test_sound_sent_beside_a_key_does_not_end_it():
    reader = KeyReader(RATE, 0.0)
    for packet in packets_of("8", 1000)[:-END_PACKETS]:
        reader.receive(packet.payload, 0, packet.marker, 0.0)
        assert reader.pass_time((packet.after_ms + 20) * TICKS_PER_MS, 0.0) == ()
    assert reader.is_in_event


def test_late_packets_of_the_key_before_say_nothing():
    reader = KeyReader(RATE, 0.0)
    first, second = packets_of("1"), packets_of("2")
    keys = read(reader, first[:-1], 0) + read(reader, second[:2], 1600)
    keys += read(reader, first[-1:], 0) + read(reader, second[2:], 1600)
    assert keys == [Key("1", 100), Key("2", 100)]


def test_timestamps_wrap():
    reader = KeyReader(RATE, 0.0)
    assert read(reader, packets_of("1"), 0xFFFFFF00) + read(reader, packets_of("2"), 0x00000540) == [
        Key("1", 100),
        Key("2", 100),
    ]


def test_a_sender_that_begins_to_count_anew_is_heard():
    reader = KeyReader(RATE, 0.0)
    assert read(reader, packets_of("1"), 3_000_000) + read(reader, packets_of("2"), 160) == [
        Key("1", 100),
        Key("2", 100),
    ]


def test_a_key_held_longer_than_a_packet_can_say_comes_in_segments():
    """RFC 4733 2.5.1.3: a new timestamp 65535 later, no marker, no end in between."""
    reader = KeyReader(RATE, 0.0)
    assert reader.receive(b"\x05\x0a\xff\xff", 1000, True, 0.0) == ()
    assert reader.receive(b"\x05\x0a\x00\xa0", 1000 + 65535, False, 8.2) == ()
    assert reader.receive(b"\x05\x8a\x01\x40", 1000 + 65535, False, 8.3) == (Key("5", (65535 + 320) // 8),)


def test_what_is_no_key_is_counted():
    reader = KeyReader(RATE, 0.0)
    for payload in (b"", b"\x05", b"\x05\x8a\x00", b"\x10\x8a\x03\x20", b"\xff\x8a\x03\x20"):
        assert reader.receive(payload, 0, True, 0.0) == ()
    assert reader.malformed == 5
    assert not reader.is_in_event


def test_a_flood_of_keys_is_limited():
    reader = KeyReader(RATE, 0.0)
    keys = [
        key
        for number in range(10_000)
        for key in reader.receive(b"\x01\x8a\x03\x20", 1000 * number, True, 1.0)
    ]
    assert len(keys) == KEYS_BURST
    assert reader.dropped == 10_000 - len(keys)
    later = reader.receive(b"\x02\x8a\x03\x20", 10_000_001, True, 2.0)
    assert [key.digit for key in later] == ["2"]


@given(st.text(KEYS, min_size=1, max_size=12), st.data())
def test_any_loss_repetition_and_reordering_within_a_key_leaves_each_key_once(digits, data):
    reader = KeyReader(RATE, 0.0)
    heard = ""
    for number, digit in enumerate(digits):
        packets = packets_of(digit)
        kept = data.draw(st.lists(st.sampled_from(packets), min_size=1, max_size=12))
        for packet in kept:
            now = number / 5
            keys = reader.receive(packet.payload, 1600 * number, packet.marker, now)
            heard += "".join(key.digit for key in keys)
    heard += "".join(key.digit for key in reader.pass_time(1600 * len(digits) + 10_000, 100.0))
    assert heard == digits


def test_random_packets_break_nothing():
    noise = random.Random(4733)
    reader = KeyReader(48000, 0.0)
    for number in range(20_000):
        payload = noise.randbytes(noise.randrange(8))
        keys = reader.receive(payload, noise.getrandbits(32), noise.random() < 0.5, number * 0.001)
        assert all(key.digit in KEYS and key.duration_ms >= 0 for key in keys)


def test_packets_are_as_the_rfc_has_them():
    packets = packets_of("#", 100)
    assert [packet.marker for packet in packets] == [True] + [False] * 6
    assert [packet.after_ms for packet in packets] == [0, 20, 40, 60, 80, 100, 120]
    assert [packet.payload.hex() for packet in packets] == [
        "0b0a00a0", "0b0a0140", "0b0a01e0", "0b0a0280", "0b8a0320", "0b8a0320", "0b8a0320",
    ]  # fmt: skip


def test_the_clock_of_the_stream_is_that_of_the_duration():
    assert event_packets("1", duration_ms=60, clock_rate=48000)[-1].payload == b"\x01\x8a" + (2880).to_bytes(
        2, "big"
    )


@pytest.mark.parametrize(
    ("digit", "duration_ms"), [("", 100), ("12", 100), ("E", 100), ("a", 100), ("\u0661", 100), ("1", 8192)]
)
def test_what_cannot_be_sent_is_refused(digit, duration_ms):
    with pytest.raises(ValueError, match=r"key|event packet"):
        event_packets(digit, duration_ms=duration_ms, clock_rate=RATE)


def test_keys_as_fast_as_a_dialler_sends_them_are_all_heard():
    reader = KeyReader(RATE, 0.0)
    digits = "".join(itertools.islice(itertools.cycle(KEYS), 60))
    keys = [
        key
        for number, digit in enumerate(digits)
        for key in read(reader, packets_of(digit, 50), 800 * number, at=number / 10)
    ]
    assert "".join(key.digit for key in keys) == digits
