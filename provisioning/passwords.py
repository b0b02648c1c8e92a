"""Passwords of lines: made here, hashed here, never kept.

A line's password exists in clear only while it is being set; the books hold HA1 = H(user:realm:password) per
algorithm (RFC 7616 3.4.2), which is bound to the realm: another realm needs a new password.
"""

import hashlib
import secrets

# Without 0 O o, 1 I l, 2 Z z, 5 S s, 8 B, u v U V: it is read out over the telephone and typed on a handset.
ALPHABET = "abcdefghijkmnpqrtwxyACDEFGHJKLMNPQRTWXY34679"
GENERATED_CHARS = 20  # of 44 letters: 109 bits, beyond any guessing from captured digests


def generate_password() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(GENERATED_CHARS))


def ha1_md5(user: str, realm: str, password: str) -> str:
    """HA1 for algorithm=MD5, 32 lower-case hex digits."""
    return hashlib.md5(_secret(user, realm, password), usedforsecurity=False).hexdigest()


def ha1_sha256(user: str, realm: str, password: str) -> str:
    """HA1 for algorithm=SHA-256, 64 lower-case hex digits."""
    return hashlib.sha256(_secret(user, realm, password)).hexdigest()


def _secret(user: str, realm: str, password: str) -> bytes:
    return f"{user}:{realm}:{password}".encode()
