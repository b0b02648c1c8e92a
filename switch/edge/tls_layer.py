"""TLS between the bytes of a connection and the messages in it, without a socket (RFC 8446, RFC 5246).

Encrypted bytes come in and plain ones out, and the other way round; what must be sent to the peer waits in `outgoing`.
The connection is ours from the first byte, so that limits and deadlines hold during the handshake, too.
"""

import contextlib
import ssl
from collections.abc import Mapping
from typing import Any

READ_BYTES = 64 * 1024


class TlsBroken(Exception):  # noqa: N818 - the name of what happened
    """The peer and we cannot speak TLS: a handshake that fails, a certificate that is refused, nonsense later on.

    What `outgoing` holds is the alert that tells the peer.
    """


class TlsLayer:
    """One side of one connection. `is_secured` once the handshake is done, `is_ended` once the peer said goodbye."""

    __slots__ = ("_incoming", "_object", "_outgoing", "is_ended", "is_secured")

    def __init__(self, context: ssl.SSLContext, *, is_server: bool, server_name: str = "") -> None:
        """`server_name` is what a client asks for; "" or an address asks for nothing (RFC 6066 3)."""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.is_secured = False
        self.is_ended = False
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, server_side=is_server, server_hostname=server_name or None
        )

    def start(self) -> None:
        """A client speaks first."""
        self._shake_hands()

    def receive(self, data: bytes) -> bytes:
        """What the peer said in plain. Raises TlsBroken."""
        self._incoming.write(data)
        if not self.is_secured:
            self._shake_hands()
        return self._read() if self.is_secured else b""

    def encrypt(self, data: bytes) -> None:
        """Raises TlsBroken when nothing more can be said."""
        try:
            self._object.write(data)
        except ssl.SSLError as error:
            raise TlsBroken(reason_of(error)) from None

    def say_goodbye(self) -> None:
        """close_notify, so that the peer knows that nothing was cut off."""
        if not self.is_secured:
            return
        with contextlib.suppress(ssl.SSLError):  # it waits for the peer's, which nobody will read
            self._object.unwrap()

    def outgoing(self) -> bytes:
        return self._outgoing.read() if self._outgoing.pending else b""

    def peer_certificate(self) -> Mapping[str, Any]:
        """What the peer has shown and what was verified; empty without one."""
        return self._object.getpeercert() or {}

    def _shake_hands(self) -> None:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as error:
            raise TlsBroken(reason_of(error)) from None
        self.is_secured = True

    def _read(self) -> bytes:
        pieces = []
        try:
            while piece := self._object.read(READ_BYTES):
                pieces.append(piece)
            self.is_ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.is_ended = True
        except ssl.SSLError as error:
            raise TlsBroken(reason_of(error)) from None
        return b"".join(pieces)


def reason_of(error: ssl.SSLError) -> str:
    """OpenSSL's words, in a form for a log line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.reason or str(error)).replace("_", " ").lower()
