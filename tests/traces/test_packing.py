"""Traces as octets: what was packed comes back, and nothing else is believed."""

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.traces.made import message, trace
from traces.packing import DICTIONARY, DamagedTrace, pack_trace, unpack_trace


@given(st.lists(st.binary(max_size=300), max_size=8), st.text(st.characters(codec="utf-8"), max_size=20))
def test_what_is_packed_comes_back(bodies: list[bytes], why: str) -> None:
    messages = [message(number, data=data) for number, data in enumerate(bodies)]
    made = trace("c1", why=why)
    made.messages = messages
    assert unpack_trace(pack_trace(made), DICTIONARY) == made


def test_the_dictionary_earns_its_keep() -> None:
    made = trace("c1", messages=1)
    assert len(pack_trace(made)) < len(msgspec.msgpack.encode(made)) * 0.8


@pytest.mark.parametrize(
    "octets",
    [b"", b"x", pack_trace(trace("c1"))[:-4], pack_trace(trace("c1"))[5:], b"\x78\x9c\x03\0\0\0\0\1"],
)
def test_what_is_no_trace_is_said_to_be_damaged(octets: bytes) -> None:
    with pytest.raises(DamagedTrace):
        unpack_trace(octets, DICTIONARY)


def test_a_dictionary_of_a_newer_release_is_told_by_its_number() -> None:
    with pytest.raises(DamagedTrace, match="dictionary 7"):
        unpack_trace(pack_trace(trace("c1")), 7)


@given(st.binary(max_size=200))
def test_no_octets_break_it(octets: bytes) -> None:
    with contextlib.suppress(DamagedTrace):
        unpack_trace(octets, DICTIONARY)
