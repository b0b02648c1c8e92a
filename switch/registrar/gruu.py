"""GRUU: URIs that reach one instance of an AOR and no other (RFC 5627), made and read without keeping any.

The public one is the AOR with the instance in `gr`. A temporary one hides both: its user part is a keyed cipher of the
line, the instance, the Call-ID of the registration and its CSeq, so each REGISTER gets another one, and all of them
reach the instance for as long as it stays registered under that Call-ID (5.1). Nothing is stored, and a restart changes
nothing, since the key is the journal's. Left out: GRUUs in our own Contacts: we are a back-to-back user agent, and our
Contacts are addresses of ours that anybody can reach.
"""

import base64
import binascii
import re
from collections.abc import Callable
from hashlib import blake2b
from typing import Final, NamedTuple

from switch.registrar.bindings import Binding, Bindings
from switch.sip.uri import SipUri, escape_user, unescape

PREFIX: Final = "tgruu."
TAG_BYTES: Final = 8  # nobody guesses one in 2**64
MARK_BYTES: Final = 6  # the instance and the Call-ID, each told from the few others of the same line
CSEQ_BYTES: Final = 4
# A line's name of 64 characters with all of the above; what is longer was not made here.
TOKEN_CHARS_MAX: Final = 160
_KEY_PARTS: Final = 6
_BLOCK_BYTES: Final = 64
# What is no paramchar of a URI (RFC 3261 25.1).
_not_in_parameter: Final = re.compile(r"[^A-Za-z0-9\-_.!~*'()\[\]/:&+$]")


class Reached(NamedTuple):
    """The line, and which of its instances; "" where that one has registered nothing now."""

    user: str
    instance: str


class Gruus:
    """Makes and reads them. `sign` is a keyed hash, the same for the life of the journal."""

    __slots__ = ("_domain", "_key")

    def __init__(self, domain: str, sign: Callable[[str], str]) -> None:
        self._domain = domain
        parts = (bytes.fromhex(sign(f"temporary GRUU {part}")) for part in range(_KEY_PARTS))
        self._key = b"".join(parts)

    def public(self, binding: Binding) -> str:
        return f"sip:{escape_user(binding.user)}@{self._domain};gr={_escaped(_name_of(binding))}"

    def temporary(self, binding: Binding) -> str:
        """Another one for each REGISTER."""
        plain = _marks(binding) + binding.cseq.to_bytes(CSEQ_BYTES) + binding.user.encode()
        token = base64.b32encode(self._sealed(plain)).decode().rstrip("=").lower()
        return f"sip:{PREFIX}{token}@{self._domain};gr"

    def find(self, uri: SipUri, bindings: Bindings, now: float) -> Reached | None:
        """Whom a URI with a `gr` parameter reaches; None for a temporary one that is not, or no longer, ours."""
        user, name = uri.unescaped_user, uri.params.get("gr")
        if name:
            wanted = unescape(name)
            of_user = bindings.of(user, now)
            return Reached(user, next((b.instance for b in of_user if _name_of(b) == wanted), ""))
        plain = self._opened(user)
        if plain is None:
            return None
        marks, rest = plain[: 2 * MARK_BYTES], plain[2 * MARK_BYTES + CSEQ_BYTES :]
        of_user = bindings.of(rest.decode(), now)
        return next((Reached(b.user, b.instance) for b in of_user if b.instance and _marks(b) == marks), None)

    def _sealed(self, plain: bytes) -> bytes:
        """The tag is a hash of the plain text and makes the key stream: equal only where the plain text is."""
        tag = self._tag(plain)
        return tag + self._streamed(plain, tag)

    def _opened(self, user: str) -> bytes | None:
        if not user.startswith(PREFIX) or len(user) > TOKEN_CHARS_MAX or not user.isascii():
            return None
        token = user[len(PREFIX) :].upper()
        try:
            sealed = base64.b32decode(token + "=" * (-len(token) % 8))
        except (binascii.Error, ValueError):
            return None
        tag, hidden = sealed[:TAG_BYTES], sealed[TAG_BYTES:]
        plain = self._streamed(hidden, tag)
        return plain if hidden and self._tag(plain) == tag else None

    def _tag(self, plain: bytes) -> bytes:
        return blake2b(plain, key=self._key, digest_size=TAG_BYTES, person=b"tag").digest()

    def _streamed(self, data: bytes, tag: bytes) -> bytes:
        blocks = range(-(-len(data) // _BLOCK_BYTES))
        stream = b"".join(
            blake2b(tag, key=self._key, salt=block.to_bytes(1), person=b"stream").digest() for block in blocks
        )
        return bytes(octet ^ mask for octet, mask in zip(data, stream, strict=False))


def _name_of(binding: Binding) -> str:
    """+sip.instance without its angle brackets."""
    return binding.instance.removeprefix("<").removesuffix(">")


def _marks(binding: Binding) -> bytes:
    return b"".join(
        blake2b(text.encode(), digest_size=MARK_BYTES).digest()
        for text in (binding.instance, binding.call_id)
    )


def _escaped(text: str) -> str:
    return _not_in_parameter.sub(
        lambda found: "".join(f"%{octet:02X}" for octet in found.group().encode()), text
    )
