"""The calls of the media bench: packets of G.711 both ways, each with the time at which it left.

    python -m bench.media_load SECONDS PACKETS_PER_S < pairs.json

Standard input has one JSON list: [[our port, their host, their port], ...], a stream each; streams may share a port of
ours. Prints one JSON object. One thread that sends what is due every half millisecond and receives in between, on a few
sockets with large buffers: what it costs itself is on another core than what is measured.
"""

import json
import select
import socket
import struct
import sys
import time

SO_RCVBUFFORCE = 33  # asm-generic/socket.h; for root, beyond net.core.rmem_max
RECEIVE_BUFFER_BYTES = 16 * 1024 * 1024
STEP_S = 0.0005
HEADER = struct.Struct("!BBHIIQ")
PAYLOAD_BYTES = 160
# What is still on its way is waited for until nothing has come for so long, and at most so long.
DRAIN_S = 0.5
DRAIN_MAX_S = 20.0
PCMA = 8
# Delays are kept in buckets of 10 us up to 100 ms.
BUCKET_NS = 10_000
BUCKETS = 10_000


class Stream:
    """One direction of a call as its sender sees it."""

    __slots__ = ("buffer", "sequence", "socket", "ssrc", "timestamp", "to")

    def __init__(self, sender: socket.socket, to: tuple[str, int], ssrc: int) -> None:
        self.socket = sender
        self.to = to
        self.ssrc = ssrc
        self.sequence = 0
        self.timestamp = 0
        self.buffer = bytearray(12 + PAYLOAD_BYTES)

    def send(self) -> None:
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + PAYLOAD_BYTES) & 0xFFFFFFFF
        HEADER.pack_into(
            self.buffer, 0, 0x80, PCMA, self.sequence, self.timestamp, self.ssrc, time.monotonic_ns()
        )
        self.socket.sendto(self.buffer, self.to)


class Load:
    def __init__(self, pairs: list[tuple[int, str, int]]) -> None:
        self.sockets = {port: _bind(port) for port in sorted({pair[0] for pair in pairs})}
        self.streams = [
            Stream(self.sockets[port], (host, theirs), 1000 + index)
            for index, (port, host, theirs) in enumerate(pairs)
        ]
        self.buckets = [0] * (BUCKETS + 1)
        self.received = 0
        self.poll = select.epoll()
        for one in self.sockets.values():
            self.poll.register(one.fileno(), select.EPOLLIN)
        self.by_descriptor = {one.fileno(): one for one in self.sockets.values()}

    def receive(self, wait_s: float) -> None:
        """Everything that is there, and what comes until then."""
        buffer, stamp_of = bytearray(2048), struct.Struct("!Q").unpack_from
        for descriptor, _ in self.poll.poll(wait_s):
            receive = self.by_descriptor[descriptor].recv_into
            try:
                while True:
                    receive(buffer)
                    bucket = (time.monotonic_ns() - stamp_of(buffer, 12)[0]) // BUCKET_NS
                    self.buckets[min(bucket, BUCKETS)] += 1
                    self.received += 1
            except BlockingIOError:
                continue

    def run(self, seconds: float, packets_per_s: int) -> int:
        """How many packets were sent."""
        sent = index = 0
        started = time.monotonic()
        while (passed := time.monotonic() - started) < seconds:
            due = int(passed * packets_per_s)
            while sent < due:
                self.streams[index].send()
                index = (index + 1) % len(self.streams)
                sent += 1
            self.receive(STEP_S)
        last, until = -1, time.monotonic() + DRAIN_MAX_S
        while self.received != last and time.monotonic() < until:
            last, pause = self.received, time.monotonic() + DRAIN_S
            while time.monotonic() < pause:
                self.receive(STEP_S)
        return sent

    def delay_ms(self, share: float) -> float:
        wanted, seen = self.received * share, 0
        for bucket, count in enumerate(self.buckets):
            seen += count
            if seen >= wanted:
                return (bucket + 0.5) * BUCKET_NS / 1e6
        return 0.0


def _bind(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.setblocking(False)
    try:
        bound.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
    except OSError:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    bound.bind(("127.0.0.1", port))
    return bound


def main() -> None:
    seconds, packets_per_s = float(sys.argv[1]), int(sys.argv[2])
    load = Load([(port, host, theirs) for port, host, theirs in json.load(sys.stdin)])
    own_ns = time.process_time_ns()
    sent = load.run(seconds, packets_per_s)
    print(
        json.dumps(
            {
                "sent": sent,
                "received": load.received,
                "p50_ms": load.delay_ms(0.5),
                "p99_ms": load.delay_ms(0.99),
                "own_us_per_packet": (time.process_time_ns() - own_ns) / 1000 / max(sent, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
