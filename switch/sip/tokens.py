"""Random tokens: Via branches, From and To tags, Call-IDs (RFC 3261 8.1.1.7, 19.3, 8.1.1.4).

Tags and branches are also what keeps a stranger from ending somebody's call, so each carries at least 64 bits
from the source of randomness that is passed in (the operating system's in the switch, a seeded one in tests).
Random bytes are drawn in large pieces, because one system call per token would cost more than the token.
"""

from collections.abc import Callable
from typing import Final

MAGIC_COOKIE: Final = "z9hG4bK"  # 8.1.1.7: says that the branch is unique across space and time

BRANCH_BYTES: Final = 12
TAG_BYTES: Final = 8  # 64 bits; 19.3 asks for at least 32
CALL_ID_BYTES: Final = 12
DRAW_BYTES: Final = 4096


class Tokens:
    """`random_bytes(count)` must return that many unpredictable bytes."""

    __slots__ = ("_at", "_pool", "_random_bytes")

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self._pool = ""
        self._at = 0

    def branch(self) -> str:
        return MAGIC_COOKIE + self._hex(BRANCH_BYTES)

    def tag(self) -> str:
        return self._hex(TAG_BYTES)

    def call_id(self, host: str = "") -> str:
        """Without a host the Call-ID is a bare word, which tells a peer nothing about our network."""
        word = self._hex(CALL_ID_BYTES)
        return f"{word}@{host}" if host else word

    def secret(self, count: int) -> bytes:
        """Bytes for a key, straight from the source."""
        return self._random_bytes(count)

    def _hex(self, count: int) -> str:
        start = self._at
        end = start + 2 * count
        if end > len(self._pool):
            self._pool = self._random_bytes(DRAW_BYTES).hex()
            start, end = 0, 2 * count
        self._at = end
        return self._pool[start:end]
