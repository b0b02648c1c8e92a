"""The frames between switch and journal: what is written is read, however the stream was cut."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rating.journal.frames import FRAME_BYTES_MAX, FrameError, FrameSplitter, pack_records, unpack_records
from rating.journal.messages import (
    Append,
    Durable,
    Failed,
    Forget,
    FromJournal,
    Ready,
    Stop,
    ToJournal,
    decode_from_journal,
    decode_to_journal,
    encode_frame,
)

TO_JOURNAL: list[ToJournal] = [
    Append(7, True, [("call/1", b"\x00\xff"), ("call/2", None)], [b"\x01", b""]),
    Append(2**63, False, [], []),
    Forget(12),
    Stop(),
]
FROM_JOURNAL: list[FromJournal] = [Ready("00ff00ff00ff00ff", 5, 3), Durable(6, 4), Failed("the disk is full")]


def split(stream: bytes, piece_bytes: int) -> list[bytes]:
    splitter = FrameSplitter()
    pieces = [stream[at : at + piece_bytes] for at in range(0, len(stream), piece_bytes)]
    return [payload for piece in pieces for payload in splitter.feed(piece)]


def test_frames_to_the_journal_survive_any_split_of_the_stream() -> None:
    stream = b"".join(encode_frame(frame) for frame in TO_JOURNAL)
    for piece_bytes in range(1, len(stream) + 1):
        assert [decode_to_journal(payload) for payload in split(stream, piece_bytes)] == TO_JOURNAL


def test_frames_from_the_journal_survive_any_split_of_the_stream() -> None:
    stream = b"".join(encode_frame(frame) for frame in FROM_JOURNAL)
    for piece_bytes in range(1, len(stream) + 1):
        assert [decode_from_journal(payload) for payload in split(stream, piece_bytes)] == FROM_JOURNAL


def test_an_unfinished_frame_waits_for_its_rest() -> None:
    frame = encode_frame(Forget(1))
    splitter = FrameSplitter()
    assert splitter.feed(frame[:-1]) == []
    assert [decode_to_journal(payload) for payload in splitter.feed(frame[-1:] + frame)] == [Forget(1)] * 2


def test_a_frame_that_announces_too_much_is_an_error() -> None:
    with pytest.raises(FrameError, match="announces"):
        FrameSplitter().feed((FRAME_BYTES_MAX + 1).to_bytes(4, "big"))


def test_a_frame_that_is_too_large_is_not_sent() -> None:
    with pytest.raises(FrameError, match="at most"):
        encode_frame(Append(1, False, [], [bytes(FRAME_BYTES_MAX)]))


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x91\xa5other", b"\x92\xa6append\x01"])
def test_what_is_not_a_frame_is_an_error(payload: bytes) -> None:
    with pytest.raises(FrameError, match="not a frame"):
        decode_to_journal(payload)
    with pytest.raises(FrameError, match="not a frame"):
        decode_from_journal(payload)


@given(st.lists(st.integers() | st.text() | st.lists(st.booleans()), max_size=40))
def test_packed_records_are_a_msgpack_array_of_what_was_put_in(values: list[object]) -> None:
    values = [value for value in values if not isinstance(value, int) or -(2**63) <= value < 2**64]
    records = [msgspec.msgpack.encode(value) for value in values]
    packed = pack_records(records)
    assert packed == msgspec.msgpack.encode(values)
    assert [bytes(record) for record in unpack_records(packed)] == records


@pytest.mark.parametrize("count", [0, 1, 15, 16, 65_535, 65_536])
def test_the_array_header_changes_size_where_msgpack_says(count: int) -> None:
    assert pack_records([b"\x01"] * count) == msgspec.msgpack.encode([1] * count)
