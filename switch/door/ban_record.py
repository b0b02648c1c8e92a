"""A ban as the journal keeps it, under `x/SOURCE` or `x/SOURCE USER`: a restart does not open the door to a guesser.

On disk times are UTC milliseconds. What is written is bounded: a ban takes `login_failures_max` wrong logins that
answered our own challenges, and there are at most BANS_MAX.
"""

import msgspec

from provisioning.storable import storable
from switch.door.bans import Ban, BanReason

BAN_KEY = "x/"


class _Stored(msgspec.Struct, array_like=True):
    """New fields go to the end, with a default."""

    source: str
    user: str
    reason: BanReason
    failures: int
    users: list[str]
    since_ms: int
    until_ms: int
    times: int


_decoder = msgspec.msgpack.Decoder(_Stored)
_encoder = msgspec.msgpack.Encoder()


def ban_key(ban: Ban) -> str:
    return storable(f"{BAN_KEY}{ban.source} {ban.user}" if ban.user else f"{BAN_KEY}{ban.source}")


def encode_ban(ban: Ban, wall_offset_ms: int) -> bytes:
    """`wall_offset_ms` is UTC less the monotonic clock."""
    return _encoder.encode(
        _Stored(
            ban.source,
            storable(ban.user),
            ban.reason,
            ban.failures,
            [storable(user) for user in ban.users],
            int(ban.since * 1000) + wall_offset_ms,
            int(ban.until * 1000) + wall_offset_ms,
            ban.times,
        )
    )


def decode_ban(data: bytes, wall_offset_ms: int) -> Ban:
    """The inverse, with today's offset. Raises msgspec.DecodeError."""
    stored = _decoder.decode(data)
    return Ban(
        stored.source,
        stored.user,
        stored.reason,
        failures=stored.failures,
        users=tuple(stored.users),
        since=(stored.since_ms - wall_offset_ms) / 1000,
        until=(stored.until_ms - wall_offset_ms) / 1000,
        times=stored.times,
    )
