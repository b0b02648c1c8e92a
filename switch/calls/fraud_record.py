"""An automatic bar as the journal keeps it, under `f/ACCOUNT ID`: a restart does not open the door again."""

from typing import Final

import msgspec

FRAUD_BAR_KEY: Final = "f/"

_encode: Final = msgspec.msgpack.Encoder().encode


class FraudBar(msgspec.Struct, array_like=True, frozen=True):
    """No calls abroad and to high-cost destinations until then. New fields go to the end, with a default."""

    account_id: int
    rule: str
    since_ms: int
    until_ms: int


_decode: Final = msgspec.msgpack.Decoder(FraudBar).decode


def fraud_bar_key(account_id: int) -> str:
    return f"{FRAUD_BAR_KEY}{account_id}"


def encode_fraud_bar(bar: FraudBar) -> bytes:
    return _encode(bar)


def decode_fraud_bar(data: bytes) -> FraudBar:
    """Raises msgspec.DecodeError."""
    return _decode(data)
