"""Very many phones in one process: registers lines as fast as they are answered, each from an address of its own.

Every phone has its own 127.x.y.z, so that the exchange keeps as many different contacts and flows as it would for
real ones. One UDP socket serves them all (IP_PKTINFO names the sender). It leaves out everything but REGISTER.
"""

import hashlib
import select
import socket
import struct
import time
from collections.abc import Sequence

import msgspec

from bench.sipp import LOOPBACK, SOCKET_BUFFER_BYTES, Caller

IP_PKTINFO = 8  # linux/in.h; Python 3.11 does not name it
IN_FLIGHT_MAX = 200
REPEAT_AFTER_S = 2.0
GIVE_UP_AFTER_S = 300.0
DATAGRAM_BYTES = 65_535


class Registered(msgspec.Struct, frozen=True):
    """How many phones got their 200, in how many seconds; statuses other than 401 and 200 by count."""

    lines: int
    seconds: float
    refused: int


class Phone(msgspec.Struct):
    """One registration under way."""

    caller: Caller
    address: str
    authorization: str = ""
    cseq: int = 1
    sent_at: float = 0.0


def register_all(callers: Sequence[Caller], *, port: int) -> Registered:
    """Registers every line once. Returns when all are done, refused or the time is over."""
    started = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
        sock.bind(("0.0.0.0", 0))  # answers come to every 127.x.y.z; nothing is sent anywhere else
        sock.setblocking(False)
        bank = _Bank(sock, port)
        waiting = iter(enumerate(callers))
        is_last = False
        while not (is_last and not bank.phones) and time.monotonic() - started < GIVE_UP_AFTER_S:
            while not is_last and len(bank.phones) < IN_FLIGHT_MAX:
                index, caller = next(waiting, (-1, None))
                is_last = caller is None
                if caller is not None:
                    bank.start(index, caller)
            if not select.select([sock], [], [], REPEAT_AFTER_S / 4)[0]:
                bank.repeat()
            bank.receive()
        return Registered(bank.done, time.monotonic() - started, bank.refused)


class _Bank:
    """The phones that wait for an answer, by Call-ID."""

    def __init__(self, sock: socket.socket, port: int) -> None:
        self.phones: dict[str, Phone] = {}
        self.done = 0
        self.refused = 0
        self._sock = sock
        self._own_port = sock.getsockname()[1]
        self._target = (LOOPBACK, port)
        self._domain = f"{LOOPBACK}:{port}"

    def start(self, index: int, caller: Caller) -> None:
        address = f"127.{1 + (index >> 16)}.{index >> 8 & 255}.{index & 255}"
        phone = self.phones[f"bench-{index}"] = Phone(caller, address)
        self._send(f"bench-{index}", phone)

    def repeat(self) -> None:
        now = time.monotonic()
        for call_id, phone in self.phones.items():
            if now - phone.sent_at > REPEAT_AFTER_S:
                self._send(call_id, phone)

    def receive(self) -> None:
        while True:
            try:
                data = self._sock.recv(DATAGRAM_BYTES)
            except BlockingIOError:
                return
            self._on_response(data.decode(errors="replace"))

    def _on_response(self, text: str) -> None:
        call_id = _header(text, "Call-ID")
        phone = self.phones.get(call_id)
        if phone is None or not _header(text, "CSeq").startswith(f"{phone.cseq} "):
            return
        status = text[8:11]
        if status == "401" and not phone.authorization:
            phone.authorization = _answer(
                _header(text, "WWW-Authenticate"), phone.caller, f"sip:{self._domain}"
            )
            phone.cseq += 1
            self._send(call_id, phone)
        elif status >= "200":
            del self.phones[call_id]
            if status == "200":
                self.done += 1
            else:
                self.refused += 1

    def _send(self, call_id: str, phone: Phone) -> None:
        user, place = phone.caller.user, f"{phone.address}:{self._own_port}"
        text = (
            f"REGISTER sip:{self._domain} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {place};branch=z9hG4bK-{call_id}-{phone.cseq};rport\r\n"
            f"From: <sip:{user}@{self._domain}>;tag={call_id}\r\n"
            f"To: <sip:{user}@{self._domain}>\r\n"
            f"Call-ID: {call_id}\r\n"
            f"CSeq: {phone.cseq} REGISTER\r\n"
            f"Contact: <sip:{user}@{place};transport=udp>\r\n"
            f"{phone.authorization}"
            "Max-Forwards: 70\r\nExpires: 3600\r\nUser-Agent: bench phone 1.0.0\r\nContent-Length: 0\r\n\r\n"
        )
        phone.sent_at = time.monotonic()
        sender = struct.pack("=I4s4s", 0, socket.inet_aton(phone.address), b"\0\0\0\0")
        self._sock.sendmsg([text.encode()], [(socket.IPPROTO_IP, IP_PKTINFO, sender)], 0, self._target)


def _header(text: str, name: str) -> str:
    start = text.find(f"\r\n{name}: ")
    if start < 0:
        return ""
    start += len(name) + 4
    return text[start : text.index("\r\n", start)]


def _answer(challenge: str, caller: Caller, uri: str) -> str:
    """The Authorization line for an MD5 challenge with qop=auth."""
    realm, nonce = _parameter(challenge, "realm"), _parameter(challenge, "nonce")
    ha1 = _md5(f"{caller.user}:{realm}:{caller.password}")
    response = _md5(f"{ha1}:{nonce}:00000001:0a4f113b:auth:{_md5(f'REGISTER:{uri}')}")
    return (
        f'Authorization: Digest username="{caller.user}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
        f'response="{response}", algorithm=MD5, cnonce="0a4f113b", qop=auth, nc=00000001\r\n'
    )


def _parameter(challenge: str, name: str) -> str:
    return challenge.partition(f'{name}="')[2].partition('"')[0]


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
