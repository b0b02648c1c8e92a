"""The sound of a SIPp phone whose network is bad: packets of G.711 to whoever sends it some, less the lost ones."""

import random
import socket
import struct
import threading
import time
from typing import Final

HOST: Final = "127.0.0.1"
FRAME_S: Final = 0.02
OCTETS: Final = 160
PCMA: Final = 8
LISTEN_S: Final = 0.005
SPEAKS_S: Final = 60.0


class Speaker:
    """One UDP socket, from `start` on. It speaks to the address that the first packet comes from.

    `drops_every`: each packet of that number is not sent, so the other side counts it as lost. `late_s` is how much
    later than its time a packet leaves at the most; some overtake each other then.
    """

    def __init__(self, *, drops_every: int = 0, late_s: float = 0.0) -> None:
        self._drops_every = drops_every
        self._late_s = late_s
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self._socket.settimeout(LISTEN_S)
        self.port = int(self._socket.getsockname()[1])
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._speak, name="speaker", daemon=True)

    def __enter__(self) -> "Speaker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()

    def _speak(self) -> None:
        peer = self._first_heard()
        begun = time.monotonic()
        for at_s, number in self._course():
            wait_s = begun + at_s - time.monotonic()
            if wait_s > 0:
                self._over.wait(wait_s)
            if peer is None or self._over.is_set():
                return
            header = struct.pack("!BBHII", 0x80, PCMA, number, number * OCTETS, 7)
            self._socket.sendto(header + b"\xd5" * OCTETS, peer)

    def _course(self) -> list[tuple[float, int]]:
        """When which packet leaves."""
        lateness = random.Random(1)
        numbers = range(int(SPEAKS_S / FRAME_S))
        sent = [number for number in numbers if not self._drops_every or number % self._drops_every]
        return sorted((number * FRAME_S + lateness.uniform(0.0, self._late_s), number) for number in sent)

    def _first_heard(self) -> tuple[str, int] | None:
        while not self._over.is_set():
            try:
                _, peer = self._socket.recvfrom(2048)
            except TimeoutError:
                continue
            host, port = peer
            return str(host), int(port)
        return None
