"""One stream for a browser, whoever speaks behind the number."""

import struct
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from media.browser.one_stream import OneStream

OURS, PHONE, MUSIC = 0x0FF400C0, 0xAAAA0001, 0xBBBB0002
PCMA, OPUS = 8, 111


def rtp(sender: int, sequence: int, time: int, kind: int = PCMA) -> bytes:
    return struct.pack("!BBHII", 0x80, kind, sequence & 0xFFFF, time & 0xFFFFFFFF, sender) + b"sound"


def read(packet: bytes | None) -> tuple[int, int, int]:
    """Sequence number, timestamp, SSRC."""
    assert packet is not None
    assert packet.endswith(b"sound")
    return struct.unpack_from("!HII", packet, 2)


def sender_report(sender: int, time: int, blocks: tuple[tuple[int, int], ...] = ()) -> bytes:
    body = struct.pack("!IQIII", sender, 77 << 32, time & 0xFFFFFFFF, 10, 100)
    body += b"".join(struct.pack("!IIIIII", source, 0, highest, 0, 0, 0) for source, highest in blocks)
    return struct.pack("!BBH", 0x80 | len(blocks), 200, len(body) // 4) + body


def receiver_report(sender: int, source: int, highest: int) -> bytes:
    return struct.pack("!BBHI", 0x81, 201, 7, sender) + struct.pack("!IIIIII", source, 0, highest, 0, 0, 0)


def test_the_first_sender_passes_in_its_own_numbers() -> None:
    stream = OneStream(OURS)
    assert read(stream.rtp(rtp(PHONE, 65535, 4_000), 1.0)) == (65535, 4_000, OURS)
    assert read(stream.rtp(rtp(PHONE, 0, 4_160), 1.02)) == (0, 4_160, OURS)


def test_another_sender_goes_on_where_the_first_one_was() -> None:
    stream = OneStream(OURS)
    stream.rtp(rtp(PHONE, 100, 4_000), 1.0)
    began = stream.rtp(rtp(MUSIC, 9, 777), 1.5)
    assert read(began) == (101, 4_000 + 4_000, OURS)
    assert began is not None and began[1] & 0x80, "the marker of a new talkspurt"
    assert read(stream.rtp(rtp(MUSIC, 10, 937), 1.52)) == (102, 8_160, OURS)
    assert read(stream.rtp(rtp(PHONE, 200, 9_000), 2.0)) == (103, 8_160 + 3_840, OURS)


def test_opus_counts_by_its_own_clock() -> None:
    stream = OneStream(OURS)
    stream.rtp(rtp(PHONE, 1, 0, OPUS), 1.0)
    assert read(stream.rtp(rtp(MUSIC, 1, 5, OPUS), 1.1))[1] == 4_800


def test_a_straggler_of_the_sender_before_is_left_out() -> None:
    stream = OneStream(OURS)
    stream.rtp(rtp(PHONE, 100, 4_000), 1.0)
    stream.rtp(rtp(MUSIC, 9, 0), 1.02)
    assert stream.rtp(rtp(PHONE, 101, 4_160), 1.03) is None
    assert read(stream.rtp(rtp(MUSIC, 10, 160), 1.04))[0] == 102


def test_a_reordered_packet_keeps_its_place() -> None:
    stream = OneStream(OURS)
    for sequence in (1, 3, 2):
        stream.rtp(rtp(PHONE, sequence, sequence * 160), 1.0)
    assert read(stream.rtp(rtp(MUSIC, 50, 0), 1.01))[0] == 4


@given(st.lists(st.tuples(st.sampled_from([PHONE, MUSIC, 0]), st.integers(1, 40)), max_size=12), st.data())
def test_numbers_go_on_whoever_speaks(spells: list[tuple[int, int]], data: st.DataObject) -> None:
    stream, now, sent = OneStream(OURS), 10.0, []
    for sender, packets in spells:
        sequence, time = data.draw(st.integers(0, 65535)), data.draw(st.integers(0, 2**32 - 1))
        now += 1.0
        if stream.sender == sender:
            continue  # its numbers would jump by themselves
        for number in range(packets):
            now += 0.02
            sent.append(read(stream.rtp(rtp(sender, sequence + number, time + 160 * number), now)))
    for before, after in pairwise(sent):
        assert (after[0] - before[0]) % 65536 == 1
        assert 0 < (after[1] - before[1]) % 2**32 <= 8_000 * (len(spells) + 1)
        assert after[2] == OURS


def test_a_report_of_the_sender_is_in_our_numbers() -> None:
    stream = OneStream(OURS)
    stream.rtp(rtp(PHONE, 100, 4_000), 1.0)
    stream.rtp(rtp(MUSIC, 9, 0), 1.02)  # offset 4,160
    said = stream.rtcp_to_browser(sender_report(MUSIC, 160, ((0xB0, 55),)))
    assert said == sender_report(OURS, 160 + 4_160, ((0xB0, 55),))


def test_of_a_sender_that_has_left_nothing_is_said() -> None:
    stream = OneStream(OURS)
    stream.rtp(rtp(PHONE, 100, 4_000), 1.0)
    stream.rtp(rtp(MUSIC, 9, 0), 1.02)
    bye = struct.pack("!BBHI", 0x81, 203, 1, PHONE)
    assert stream.rtcp_to_browser(sender_report(PHONE, 0) + bye) == b""


def test_what_the_browser_reports_reaches_who_speaks_in_his_numbers() -> None:
    stream = OneStream(OURS)
    stream.rtp(rtp(PHONE, 100, 4_000), 1.0)
    stream.rtp(rtp(MUSIC, 9, 0), 1.02)  # 9 is 101 to the browser
    assert stream.rtcp_from_browser(receiver_report(0xB0, OURS, 101)) == receiver_report(0xB0, MUSIC, 9)
    feedback = struct.pack("!BBHIII", 0x81, 205, 3, 0xB0, OURS, 0)
    assert stream.rtcp_from_browser(feedback) == struct.pack("!BBHIII", 0x81, 205, 3, 0xB0, MUSIC, 0)


@given(st.binary(max_size=120))
def test_no_rtcp_breaks_it(noise: bytes) -> None:
    stream = OneStream(OURS)
    stream.rtp(rtp(PHONE, 1, 0), 1.0)
    for data in (noise, b"\x80\xc8" + noise, sender_report(PHONE, 0) + noise, b"\x81\xcd\x00\x02" + noise):
        stream.rtcp_to_browser(data)
        stream.rtcp_from_browser(data)
