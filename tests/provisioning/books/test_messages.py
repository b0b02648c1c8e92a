"""Every message arrives as it was sent, however the stream was cut."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.books.messages import (
    Begin,
    Changes,
    Checkpointed,
    CreditMark,
    DatabaseDown,
    DatabaseUp,
    Durable,
    FromBooks,
    Resume,
    Shipped,
    SnapshotReady,
    Stop,
    ToBooks,
    decode_from_books,
    decode_to_books,
    encode_message,
)
from provisioning.model import (
    Account,
    AccountChanged,
    AccountKind,
    Credited,
    CreditRow,
    DigestPolicy,
    Line,
    LineChanged,
    LineKind,
    LineRemoved,
    Number,
    NumberChanged,
    NumberRemoved,
)
from rating.journal.frames import FrameSplitter
from rating.money import VatMode

ACCOUNT = Account(1, "Shop", AccountKind.PREPAID, VatMode.INC_VAT, "retail", 0, False, 0)
LINE = Line(
    "alice",
    1,
    "example.com",
    "a" * 32,
    "b" * 64,
    DigestPolicy.BOTH,
    "",
    "+441632960001",
    "1 High St",
    False,
    2,
)
NUMBER = Number("+441632960001", "alice")

TO_BOOKS: list[ToBooks] = [
    Begin(None),
    Begin(Resume(7, [CreditMark(1, 3), CreditMark(2, 0)])),
    Durable(12),
    Stop(True),
    Stop(False),
]
FROM_BOOKS: list[FromBooks] = [
    DatabaseUp(),
    DatabaseDown("connection refused"),
    SnapshotReady("/data/checkpoint", is_old=True),
    Changes(
        9,
        [
            AccountChanged(ACCOUNT),
            LineChanged(LINE),
            LineRemoved("bob"),
            NumberChanged(NUMBER),
            NumberRemoved("+441632960002"),
            Credited(CreditRow(1, 2, -500)),
        ],
    ),
    Shipped("00ff", 12, 30, 1, 2),
    Checkpointed("00ff", 12),
]


def test_every_message_to_the_books_comes_back_as_it_was() -> None:
    payloads = FrameSplitter().feed(b"".join(map(encode_message, TO_BOOKS)))
    assert [decode_to_books(payload) for payload in payloads] == TO_BOOKS


@given(st.lists(st.integers(1, 400), max_size=8))
def test_every_message_from_the_books_survives_any_cut_of_the_stream(cuts: list[int]) -> None:
    stream = b"".join(map(encode_message, FROM_BOOKS))
    splitter = FrameSplitter()
    payloads: list[bytes] = []
    for cut in cuts:
        payloads += splitter.feed(stream[:cut])
        stream = stream[cut:]
    payloads += splitter.feed(stream)
    assert [decode_from_books(payload) for payload in payloads] == FROM_BOOKS


def test_what_is_no_message_is_an_error() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_to_books(encode_message(DatabaseUp())[4:])


def test_a_line_that_an_older_release_wrote_down_is_a_phone_without_limits_of_a_trunk() -> None:
    old = msgspec.to_builtins(LINE)
    for name in ("kind", "addresses", "calls_per_second_max"):
        del old[name]
    line = msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=Line)
    assert (line.kind, line.addresses, line.calls_per_second_max) == (LineKind.PHONE, (), 0)
