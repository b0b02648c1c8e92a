"""Messages on their way to a Homer server, by HEP version 3 over UDP (hep.py): sent or dropped, never waited for."""

import socket
from collections.abc import Sequence

from traces.hep import hep_packet
from traces.messages import Mirrored, Settings
from traces.redaction import redacted_message


class Homer:
    """One server. Raises OSError where its address cannot be."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.sent = 0
        self.failed = 0
        family = socket.AF_INET6 if ":" in settings.homer_host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.connect((settings.homer_host, settings.homer_port))
        except OSError:
            self._socket.close()
            raise

    def send(self, messages: Sequence[Mirrored]) -> None:
        """What the socket does not take at once is counted and gone."""
        settings = self._settings
        for mirrored in messages:
            try:
                packet = hep_packet(
                    redacted_message(mirrored.message),
                    mirrored.flow,
                    mirrored.call_id,
                    capture_id=settings.homer_id,
                    password=settings.homer_password,
                )
                self._socket.send(packet)
            except (
                OSError,
                ValueError,
            ):  # a full buffer, an ICMP error of one before, no packet for such an address
                self.failed += 1
            else:
                self.sent += 1

    def close(self) -> None:
        self._socket.close()
