"""A name server on the loopback address for tests: answers from a dictionary, and can be told to lie, stall or die.

It has UDP and TCP on one port, as a name server has, and is a thread of its own. `zone` maps (name, type) to records
as a zone file writes them.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

HOST = "127.0.0.1"
UDP_BYTES_MAX = 512  # without EDNS; more is truncated, and asked for again by TCP

Zone = dict[tuple[str, str], list[str]]


class NameServer:
    """`mode` is "answer", "silent" or "fail"; it may change at any time. `asked` has every question."""

    def __init__(self, zone: Zone, *, ttl_s: int = 60) -> None:
        self.zone = zone
        self.ttl_s = ttl_s
        self.mode = "answer"
        self.asked: list[tuple[str, str]] = []
        self._udp, self._tcp = _bound_pair()
        self.port: int = self._udp.getsockname()[1]
        self._threads = [
            threading.Thread(target=serve, daemon=True) for serve in (self._serve_udp, self._serve_tcp)
        ]

    @contextlib.contextmanager
    def running(self) -> Iterator["NameServer"]:
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self.close()

    def close(self) -> None:
        """It dies: nobody answers at this port any more."""
        for sock in (self._udp, self._tcp):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)

    def _serve_udp(self) -> None:
        while True:
            try:
                data, peer = self._udp.recvfrom(65_535)
                if not data:  # it was closed
                    return
                answer = self._answer(data)
                if answer is not None:
                    self._udp.sendto(self._cut(answer, data), peer)
            except OSError:
                return

    def _serve_tcp(self) -> None:
        while True:
            try:
                client, _ = self._tcp.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError, struct.error):
                client.settimeout(2)
                (size,) = struct.unpack("!H", client.recv(2, socket.MSG_WAITALL))
                answer = self._answer(client.recv(size, socket.MSG_WAITALL))
                if answer is not None:
                    wire = answer.to_wire(max_size=65_535)
                    client.sendall(struct.pack("!H", len(wire)) + wire)

    def _answer(self, data: bytes) -> dns.message.Message | None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if self.mode == "silent":
            return None
        response: Any = dns.message.make_response(query)
        response.flags |= dns.flags.AA | dns.flags.RA
        if self.mode == "fail":
            response.set_rcode(dns.rcode.SERVFAIL)
            return response
        self._fill(response, name, kind)
        return response

    def _fill(self, response: Any, name: str, kind: str) -> None:
        for _ in range(20):
            alias = self.zone.get((name, "CNAME"))
            if alias is None:
                break
            response.answer.append(self._rrset(name, "CNAME", alias))
            name = alias[0].removesuffix(".")
        records = self.zone.get((name, kind))
        if records:
            response.answer.append(self._rrset(name, kind, records))
        elif not any(known == name for known, _ in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        if not records:
            soa = ["ns.example. admin.example. 1 3600 600 86400 30"]
            response.authority.append(self._rrset("example", "SOA", soa))

    def _rrset(self, name: str, kind: str, records: list[str]) -> dns.rrset.RRset:
        return dns.rrset.from_text_list(dns.name.from_text(name), self.ttl_s, "IN", kind, records)

    @staticmethod
    def _cut(answer: Any, query: bytes) -> bytes:
        payload = dns.message.from_wire(query).payload or UDP_BYTES_MAX
        try:
            wire: bytes = answer.to_wire(max_size=payload)
        except dns.exception.TooBig:
            answer.answer.clear()
            answer.flags |= dns.flags.TC
            wire = answer.to_wire()
        return wire


def _bound_pair() -> tuple[socket.socket, socket.socket]:
    """UDP and TCP on one port, which nobody else has."""
    for _ in range(50):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind((HOST, 0))
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            tcp.bind(udp.getsockname())
        except OSError:
            udp.close()
            tcp.close()
            continue
        tcp.listen(8)
        return udp, tcp
    raise OSError("no port that is free for UDP and TCP")
