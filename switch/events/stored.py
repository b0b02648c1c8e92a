"""Subscriptions and publications in the journal: `s/<our tag>` and `p/<entity tag>`.

Phones subscribe again only when their subscription is about to expire. Without these rows every lamp would stay dark,
and every colleague away, for up to an hour after a restart. Times are UTC milliseconds. New fields go to the end, with
a default.
"""

from typing import Final

import msgspec

from switch.sip.dialog_state import DialogState

SUBSCRIPTION_KEY: Final = "s/"
PUBLICATION_KEY: Final = "p/"


class StoredSubscription(msgspec.Struct, array_like=True):
    """`watcher` and `resource` are users of lines."""

    watcher: str
    resource: str
    package: str
    event_id: str | None
    dialog: DialogState
    expires_ms: int
    is_at_binding: bool


class StoredPublication(msgspec.Struct, array_like=True):
    """`content` is the document as it came."""

    user: str
    content: bytes
    expires_ms: int


encode: Final = msgspec.msgpack.Encoder().encode
_subscriptions: Final = msgspec.msgpack.Decoder(StoredSubscription)
_publications: Final = msgspec.msgpack.Decoder(StoredPublication)


def decode_subscription(data: bytes) -> StoredSubscription | None:
    """None for what cannot be read: a lamp is not worth a start that fails."""
    try:
        return _subscriptions.decode(data)
    except msgspec.DecodeError:
        return None


def decode_publication(data: bytes) -> StoredPublication | None:
    """The same."""
    try:
        return _publications.decode(data)
    except msgspec.DecodeError:
        return None
