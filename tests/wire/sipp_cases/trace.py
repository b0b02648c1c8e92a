"""What a SIPp sent and received, read from the file of its -trace_msg."""

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

BY_CHANCE = ("100 ", "OPTIONS")
_HEAD = re.compile(rb"^-{20,}[^\n]*\n[^\n]*message (sent|received) [\[(](\d+)[^\n]*\n\n", re.MULTILINE)


class Message(msgspec.Struct, frozen=True):
    """One message as text, octets as ISO 8859-1."""

    is_sent: bool
    text: str

    @property
    def start_line(self) -> str:
        return self.text.partition("\r\n")[0]

    @property
    def is_response(self) -> bool:
        return self.text.startswith("SIP/2.0 ")

    def field(self, name: str) -> str:
        """The first value, "" without one. Written in full, as SIPp and the exchange do."""
        head = self.text.partition("\r\n\r\n")[0]
        found = re.search(rf"(?im)^{re.escape(name)}[ \t]*:[ \t]*(.*?)\r?$", head)
        return found[1] if found else ""

    @property
    def label(self) -> str:
        """ "200 INVITE" for a response, "INVITE" for a request."""
        if self.is_response:
            return f"{self.start_line.split()[1]} {self.field('CSeq').split()[-1]}"
        return self.start_line.split()[0]

    @property
    def identity(self) -> tuple[str, ...]:
        """The same for a repeat."""
        return (
            self.label,
            self.field("CSeq"),
            self.field("Via"),
            self.field("RSeq"),
            self.text.partition("\r\n\r\n")[2],
        )


def read_trace(path: Path) -> list[Message]:
    """In order; [] when SIPp wrote none."""
    data = path.read_bytes() if path.exists() else b""
    messages = []
    for head in _HEAD.finditer(data):
        size = int(head[2])
        body = data[head.end() : head.end() + size]
        messages.append(Message(head[1] == b"sent", body.decode("latin-1")))
    return messages


def heard(messages: Sequence[Message]) -> list[Message]:
    """What came in, without repeats and without what comes or not as time goes: 100s, and our pings (OPTIONS)."""
    seen: set[tuple[str, ...]] = set()
    found = []
    for message in messages:
        if message.is_sent or message.label.startswith(BY_CHANCE) or message.identity in seen:
            continue
        seen.add(message.identity)
        found.append(message)
    return found


def repeats_of(messages: Sequence[Message], label: str) -> int:
    """How often a message with this label came again."""
    return max(0, sum(not message.is_sent and message.label == label for message in messages) - 1)
