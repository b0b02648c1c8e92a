"""The control of the media bench: the least that a forwarder in Python can do. No checks, no figures.

    python -m bench.bare_forwarder < pairs.json

Standard input has one JSON list: [[port to bind, host to send to, port to send to], ...]. A packet that comes to one
port leaves by the port beside it in the list (0 and 1, 2 and 3, ...). Says "ready" and runs until SIGTERM.
"""

import json
import select
import socket
import sys


def main() -> None:
    pairs = json.load(sys.stdin)
    bound = []
    for port, _, _ in pairs:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setblocking(False)
        one.bind(("127.0.0.1", port))
        bound.append(one)
    epoll = select.epoll()
    ways = {}
    for index, one in enumerate(bound):
        other = index ^ 1
        ways[one.fileno()] = (one.recvfrom, bound[other].sendto, (pairs[other][1], pairs[other][2]))
        epoll.register(one.fileno(), select.EPOLLIN)
    print("ready", flush=True)
    while True:
        for descriptor, _ in epoll.poll(-1, 512):
            receive, send, to = ways[descriptor]
            send(receive(2048)[0], to)


if __name__ == "__main__":
    main()
