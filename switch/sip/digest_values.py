"""The hashes and parameters of digest authentication: RFC 7616 3.4, RFC 8760 2, RFC 3261 25.1.

What both ends need: HA1, the response, and reading `name=value` lists. Who asks and who answers: digest.py.
"""

import hashlib
import re
from typing import Final

MD5: Final = "MD5"
SHA_256: Final = "SHA-256"
SHA_512_256: Final = "SHA-512-256"

SESSION_SUFFIX: Final = "-SESS"

# name = ( quoted-string / token ) and its separator; the last group is whatever is neither. A bare value holds no
# backslash: sent back between quotes, as a nonce is, it would quote the closing one. Possessive, and
# what is neither runs to the end, so that no text is looked at twice.
_parameters: Final = re.compile(
    r"""([A-Za-z0-9_*.!%`'~+-]++)[ \t]*+=[ \t]*+(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|([^\s",\\]*+))"""
    r"""[ \t]*+(?:,[ \t,]*+|(?=[A-Za-z])|\Z)|(.++)""",
    re.DOTALL,
).findall
_quoted_pair: Final = re.compile(r"\\(.)", re.DOTALL)


def ha1(username: str, realm: str, password: str, algorithm: str = MD5) -> str:
    """H(username:realm:password), the only form in which a line's password is kept."""
    return _hash(f"{username}:{realm}:{password}", algorithm)


def session_ha1(secret_hash: str, algorithm: str, *, nonce: str, cnonce: str) -> str:
    """HA1 as the response needs it: for a `-sess` algorithm hashed once more with both nonces."""
    if not algorithm.upper().endswith(SESSION_SUFFIX):
        return secret_hash
    return _hash(f"{secret_hash}:{nonce}:{cnonce}", algorithm)


def digest_response(
    secret_hash: str,
    *,
    algorithm: str,
    method: str,
    uri: str,
    nonce: str,
    qop: str,
    nc: str,
    cnonce: str,
    body: bytes = b"",
) -> str:
    """RFC 7616 3.4.1; with an empty `qop` that of RFC 2069. `qop` and `nc` are hashed as written."""
    ha2_text = f"{method}:{uri}"
    if qop == "auth-int":
        ha2_text += ":" + _hash(body.decode("utf-8", "surrogateescape"), algorithm)
    ha2 = _hash(ha2_text, algorithm)
    if not qop:
        return _hash(f"{secret_hash}:{nonce}:{ha2}", algorithm)
    return _hash(f"{secret_hash}:{nonce}:{nc}:{cnonce}:{qop}:{ha2}", algorithm)


def is_supported(algorithm: str) -> bool:
    base = algorithm.upper().removesuffix(SESSION_SUFFIX)
    return base in (MD5, SHA_256) or (base == SHA_512_256 and "sha512_256" in hashlib.algorithms_available)


def _hash(text: str, algorithm: str) -> str:
    data = text.encode("utf-8", "surrogateescape")
    if algorithm == MD5:  # nearly every answer, on the path of every call
        return hashlib.md5(data, usedforsecurity=False).hexdigest()
    match algorithm.upper().removesuffix(SESSION_SUFFIX):
        case "MD5":
            return hashlib.md5(data, usedforsecurity=False).hexdigest()
        case "SHA-256":
            return hashlib.sha256(data).hexdigest()
        case "SHA-512-256":
            return hashlib.new("sha512_256", data).hexdigest()
    raise ValueError(f"digest algorithm {algorithm!r}, expected MD5, SHA-256 or SHA-512-256")


def parse_parameters(text: str) -> dict[str, str] | None:
    """Names (lower case) and values between the quotes, still escaped; None if malformed or one repeats."""
    parameters: dict[str, str] = {}
    found = _parameters(text.lstrip(" \t,"))
    for name, quoted, bare, neither in found:
        if neither:
            return None
        parameters[name.lower()] = quoted or bare
    return parameters if 0 < len(found) == len(parameters) else None


def unescaped(text: str) -> str:
    return _quoted_pair.sub(r"\1", text) if "\\" in text else text
