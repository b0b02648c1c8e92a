"""Passwords of staff: argon2id, as RFC 9106 recommends it where memory is scarce (3 passes, 64 MiB, 4 lanes).

Somebody who is not there is asked for his password as well, against a hash that nothing fits: an answer takes the
same time whether a name is known or not.
"""

import secrets
import unicodedata

import argon2
from argon2.exceptions import InvalidHashError, VerificationError


class Passwords:
    """Hashes and verifies. Each takes some 50 ms of a core: not for an event loop."""

    __slots__ = ("_hasher", "_nobodys")

    def __init__(self, hasher: argon2.PasswordHasher | None = None) -> None:
        self._hasher = hasher if hasher is not None else argon2.PasswordHasher()
        self._nobodys = self._hasher.hash(secrets.token_urlsafe(32))

    def hash(self, password: str) -> str:
        return self._hasher.hash(_typed(password))

    def fits(self, password_hash: str | None, password: str) -> bool:
        """`password_hash` None: nobody has this name, and it takes as long."""
        try:
            self._hasher.verify(self._nobodys if password_hash is None else password_hash, _typed(password))
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """It was made with other costs than these."""
        return self._hasher.check_needs_rehash(password_hash)


def _typed(password: str) -> bytes:
    """One spelling of what different keyboards send for the same characters."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
