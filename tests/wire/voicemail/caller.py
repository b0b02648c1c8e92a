"""A caller made of two UDP sockets: what SIPp cannot do is to measure the rhythm of what it hears and to speak PCM.

It stands in for the switch, too: voicemail answers its address alone.
"""

import math
import re
import select
import socket
import struct
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from media.codecs import PCMA, Codec, decoder_of, encoder_of
from media.dtmf import event_packets

HOST = "127.0.0.1"
WAIT_S = 10.0


def tone(hz: float, seconds: float, *, rate: int = 8000, peak: int = 8000) -> bytes:
    count = int(seconds * rate)
    return array("h", [int(peak * math.sin(2 * math.pi * hz * n / rate)) for n in range(count)]).tobytes()


class SwitchSocket:
    """The one address that voicemail listens to. Hands each message to the call that it belongs to."""

    def __init__(self, voicemail: tuple[str, int]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.port = self.socket.getsockname()[1]
        self.voicemail = voicemail
        self.published: list[str] = []
        self.answers_publish = True
        self.refer_status = "202 Accepted"
        self._calls: dict[str, list[str]] = {}
        self._changed = threading.Condition()
        self._is_open = True
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def close(self) -> None:
        self._is_open = False
        self._thread.join()
        self.socket.close()

    def send(self, text: str) -> None:
        self.socket.sendto(text.encode(), self.voicemail)

    def ask(self, life: str) -> None:
        """Whether it is there, as the switch asks in each of its lives."""
        branch = f"z9hG4bK{time.monotonic_ns()}"
        lines = (
            f"OPTIONS sip:{HOST}:{self.voicemail[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.address};rport;branch={branch}",
            "Max-Forwards: 70",
            f"From: <sip:example.org>;tag={branch}",
            f"To: <sip:{HOST}:{self.voicemail[1]}>",
            f"Call-ID: {life}",
            "CSeq: 1 OPTIONS",
        )
        self.send("\r\n".join([*lines, "Content-Length: 0", "", ""]))

    def wait(self, call_id: str, accepts: Callable[[str], bool], timeout_s: float = WAIT_S) -> str:
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for text in self._calls.get(call_id, []):
                    if accepts(text):
                        return text
                left = deadline - time.monotonic()
                assert left > 0, f"nothing of the kind came in {call_id}: {self._calls.get(call_id)}"
                self._changed.wait(left)

    def wait_new(self, method: str, timeout_s: float = WAIT_S) -> str:
        """The first request of that method in any call."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for texts in self._calls.values():
                    for text in texts:
                        if text.startswith(method):
                            return text
                left = deadline - time.monotonic()
                assert left > 0, f"no {method} came: {self._calls}"
                self._changed.wait(left)

    def messages(self, call_id: str) -> list[str]:
        with self._changed:
            return list(self._calls.get(call_id, []))

    def wait_published(self, line: str, timeout_s: float = WAIT_S, *, after: int = 0) -> str:
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for text in self.published[after:]:
                    if line in text:
                        return text
                left = deadline - time.monotonic()
                assert left > 0, f"no PUBLISH with {line}: {self.published}"
                self._changed.wait(left)

    def _read(self) -> None:
        while self._is_open:
            if not select.select([self.socket], [], [], 0.2)[0]:
                continue
            try:
                data, _ = self.socket.recvfrom(65535)
            except ConnectionError:
                continue
            text = data.decode()
            call_id = header(text, "Call-ID")
            with self._changed:
                if text.startswith("PUBLISH"):
                    self.published.append(text)
                else:
                    self._calls.setdefault(call_id, []).append(text)
                self._changed.notify_all()
            if text.startswith(("BYE", "NOTIFY")) or (text.startswith("PUBLISH") and self.answers_publish):
                self.send(response_to(text))
            elif text.startswith("REFER"):
                self.send(response_to(text, self.refer_status))


def header(text: str, name: str) -> str:
    found = re.search(rf"^{name}:[ \t]*(.*?)\r?$", text, re.MULTILINE | re.IGNORECASE)
    return found[1] if found else ""


def response_to(request: str, status: str = "200 OK") -> str:
    names = ("Via", "From", "To", "Call-ID", "CSeq")
    lines = [f"SIP/2.0 {status}", *(f"{name}: {header(request, name)}" for name in names)]
    return "\r\n".join([*lines, "Content-Length: 0", "", ""])


class Caller:
    """One call to voicemail."""

    _number = 0

    def __init__(
        self,
        switch: SwitchSocket,
        target: str,
        *,
        codec: Codec = PCMA,
        from_: str = '"Ann Other" <sip:01632960111@example.org>',
        to: str = "<sip:01632960222@example.org>",
        headers: tuple[str, ...] = (),
        listens: bool = True,
    ) -> None:
        Caller._number += 1
        self.switch = switch
        self.codec = codec
        self.call_id = f"call-{Caller._number}-{time.monotonic_ns()}"
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind((HOST, 0))
        self.heard: list[tuple[float, bytes]] = []  # when, payload
        self._target = target
        self._from = f"{from_};tag=a{Caller._number}"
        self._to = to
        self._headers = headers
        self._cseq = 0
        self._peer: tuple[str, int] | None = None
        self._encoder = encoder_of(codec)
        self._sequence = 100
        self._timestamp = 5000
        self._ears: threading.Thread | None = None
        self._is_listening = listens

    def invite(self) -> None:
        codec = self.codec
        host, port = self.rtp.getsockname()
        body = "\r\n".join(
            [
                "v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0",
                f"m=audio {port} RTP/AVP {codec.payload_type} 101",
                f"a=rtpmap:{codec.payload_type} {codec.rtpmap}",
                f"a=rtpmap:101 telephone-event/{codec.clock_rate}", "",
            ]
        )  # fmt: skip
        self._send("INVITE", body, ("Content-Type: application/sdp", *self._headers))

    def wait_for(self, status: int, timeout_s: float = WAIT_S) -> str:
        text = self.switch.wait(
            self.call_id, lambda text: text.startswith(f"SIP/2.0 {status} ") and "INVITE" in text, timeout_s
        )
        if status in (183, 200):
            self._to = header(text, "To")
            media = re.search(r"m=audio (\d+)", text)
            assert media is not None, text
            self._peer = (HOST, int(media[1]))
            self.listen()
        if status >= 200:
            self._to = header(text, "To")
            self._send_ack()
        return text

    def listen(self) -> None:
        if self._ears is None and self._is_listening:
            self._ears = threading.Thread(target=self._listen, daemon=True)
            self._ears.start()

    def dial(self) -> "Caller":
        """Until it is answered."""
        self.invite()
        self.wait_for(200)
        return self

    def speak(self, pcm: bytes) -> None:
        """In real time."""
        size = self.codec.pcm_bytes_per_frame
        due = time.monotonic()
        for start in range(0, len(pcm), size):
            self._packet(
                self.codec.payload_type, self._encoder.encode(pcm[start : start + size].ljust(size, b"\0"))
            )
            self._timestamp += self.codec.ticks_per_frame
            due += 0.02
            time.sleep(max(due - time.monotonic(), 0))

    def packet(self, pcm: bytes) -> None:
        """20 ms, now."""
        self._packet(self.codec.payload_type, self._encoder.encode(pcm))
        self._timestamp += self.codec.ticks_per_frame

    def press(self, keys: str) -> None:
        for key in keys:
            packets = event_packets(key, duration_ms=100, clock_rate=self.codec.clock_rate)
            for packet in packets:
                self._packet(101, packet.payload)
                time.sleep(0.02)
            self._timestamp += self.codec.clock_rate // 5
            time.sleep(0.05)

    def inform(self, body: str, content_type: str) -> None:
        self._send("INFO", body, (f"Content-Type: {content_type}",))

    def wait_referred(self, timeout_s: float = WAIT_S) -> str:
        """The Refer-To of its REFER."""
        text = self.switch.wait(self.call_id, lambda text: text.startswith("REFER"), timeout_s)
        return header(text, "Refer-To")

    def press_by_info(self, key: str) -> None:
        self._send("INFO", key, ("Content-Type: application/dtmf",))

    def hang_up(self) -> None:
        self._send("BYE", "", ())
        self.switch.wait(self.call_id, lambda text: text.startswith("SIP/2.0 200") and " BYE" in text)

    def wait_ended(self, timeout_s: float = WAIT_S) -> None:
        self.switch.wait(self.call_id, lambda text: text.startswith("BYE"), timeout_s)

    def close(self) -> None:
        self._is_listening = False
        if self._ears is not None:
            self._ears.join()
        self.rtp.close()

    def sound(self) -> bytes:
        """Everything that was heard, as samples."""
        decoder = decoder_of(self.codec)
        return b"".join(decoder.decode(payload) for _, payload in list(self.heard))

    def wait_heard(self, hz: float, timeout_s: float = WAIT_S) -> None:
        """Until a tone has been heard for a tenth of a second."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if any(True for _ in stretches(self.sound(), hz, self.codec.sample_rate, least_s=0.1)):
                return
            time.sleep(0.05)
        raise AssertionError(f"no tone of {hz} Hz was heard")

    def _packet(self, payload_type: int, payload: bytes) -> None:
        assert self._peer is not None
        head = struct.pack("!BBHII", 0x80, payload_type, self._sequence & 0xFFFF, self._timestamp, 77)
        self.rtp.sendto(head + payload, self._peer)
        self._sequence += 1

    def _listen(self) -> None:
        while self._is_listening:
            if select.select([self.rtp], [], [], 0.1)[0]:
                data = self.rtp.recv(2048)
                self.heard.append((time.monotonic(), data[12:]))

    def _send(self, method: str, body: str, headers: tuple[str, ...]) -> None:
        self._cseq += 1
        self._request(method, self._cseq, body, headers)

    def _send_ack(self) -> None:
        self._request("ACK", self._cseq, "", ())

    def _request(self, method: str, cseq: int, body: str, headers: tuple[str, ...]) -> None:
        host, port = self.switch.voicemail
        branch = f"z9hG4bK{self.call_id}{cseq}{method if method != 'INVITE' else ''}"
        lines = [
            f"{method} sip:{self._target.replace('@', f'@{host}:{port}', 1)} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.switch.address};rport;branch={branch}",
            "Max-Forwards: 70", f"From: {self._from}", f"To: {self._to}", f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}", f"Contact: <sip:switch@{self.switch.address}>", *headers,
            f"Content-Length: {len(body)}", "", body,
        ]  # fmt: skip
        self.switch.send("\r\n".join(lines))


def level_at(pcm: bytes, hz: float, rate: int) -> float:
    """The amplitude of one frequency (Goertzel), in sample values."""
    samples = array("h", pcm)
    if not samples:
        return 0.0
    omega = 2 * math.pi * hz / rate
    real = sum(value * math.cos(omega * n) for n, value in enumerate(samples))
    imaginary = sum(value * math.sin(omega * n) for n, value in enumerate(samples))
    return 2 * math.hypot(real, imaginary) / len(samples)


def stretches(pcm: bytes, hz: float, rate: int, *, least_s: float) -> Iterator[tuple[float, float, float]]:
    """(from, to, level) of each stretch in which the tone is what is heard; in windows of 20 ms."""
    window = rate // 50 * 2
    begun: int | None = None
    count = len(pcm) // window
    for number in range(count + 1):
        part = pcm[number * window : (number + 1) * window]
        is_tone = len(part) == window and level_at(part, hz, rate) > 1000
        if is_tone and begun is None:
            begun = number
        elif not is_tone and begun is not None:
            if (number - begun) * 0.02 >= least_s:
                inner = pcm[(begun + 1) * window : (number - 1) * window]
                yield begun * 0.02, number * 0.02, level_at(inner, hz, rate)
            begun = None


@contextmanager
def calling(switch: SwitchSocket, target: str, **options: object) -> Iterator[Caller]:
    caller = Caller(switch, target, **options)  # type: ignore[arg-type]
    try:
        yield caller
    finally:
        caller.close()
