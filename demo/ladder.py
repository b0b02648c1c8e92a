"""The SIP ladder of a call, drawn from what its two phones sent and received themselves.

Both phones and the exchange are on one machine, so their clocks are one and the messages can be put in one order. The
exchange is in the middle: each message is between it and one of the phones.
"""

from collections.abc import Iterable, Sequence

import msgspec

from demo.phone_messages import SipSeen

HALF_CHARS = 32  # between two of the three vertical lines; the whole is 75 wide
TIME_CHARS = 8


class Rung(msgspec.Struct, frozen=True, order=True):
    """One message. `is_left`: between the caller's phone and the exchange; `goes_right`: away from the caller."""

    at: float
    is_left: bool
    goes_right: bool
    text: str


class SipSummary(msgspec.Struct, frozen=True):
    """What the ladder needs of a message. `method` is that of the CSeq."""

    start_line: str
    call_id: str
    method: str
    has_sdp: bool

    @property
    def label(self) -> str:
        """`INVITE (SDP)`, `180 Ringing`."""
        words = self.start_line.split(" ")
        name = " ".join(words[1:]) if words[0] == "SIP/2.0" else words[0]
        return f"{name} (SDP)" if self.has_sdp else name


def summary(text: str) -> SipSummary:
    """Reads the few facts out of a message that a phone has logged."""
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    start_line, *lines = head.split("\n")
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    method = fields.get("cseq", "").rpartition(" ")[2]
    return SipSummary(start_line, fields.get("call-id", ""), method, body.startswith("v=0"))


def rungs(
    caller: Iterable[SipSeen], callee: Iterable[SipSeen], *, caller_call_id: str, callee_call_id: str
) -> list[Rung]:
    """The messages of one call, in order of time. Each side has a Call-ID of its own."""
    found = []
    for trace, call_id, is_left in ((caller, caller_call_id, True), (callee, callee_call_id, False)):
        for seen in trace:
            facts = summary(seen.text)
            if facts.call_id == call_id:
                found.append(Rung(seen.at, is_left, seen.is_sent == is_left, facts.label))
    return sorted(found)


def draw(steps: Sequence[Rung], *, since: float, names: tuple[str, str, str]) -> list[str]:
    """Lines of text under a line of names; the times are seconds since `since`."""
    left, middle, right = names
    head = " " * (TIME_CHARS + 2 - len(left) // 2) + left
    head = head.ljust(TIME_CHARS + 2 + HALF_CHARS + 1 - len(middle) // 2) + middle
    head = head.ljust(TIME_CHARS + 2 + 2 * (HALF_CHARS + 1) - len(right) // 2) + right
    return [head, *[_drawn(step, since) for step in steps]]


def _drawn(step: Rung, since: float) -> str:
    arrow = _arrow(step.text, goes_right=step.goes_right)
    empty = " " * HALF_CHARS
    halves = (arrow, empty) if step.is_left else (empty, arrow)
    return f"{step.at - since:{TIME_CHARS}.3f}  │{halves[0]}│{halves[1]}│"


def _arrow(text: str, *, goes_right: bool) -> str:
    """One half of a line: its label in the middle of an arrow."""
    line = f" {text[: HALF_CHARS - 8]} ".center(HALF_CHARS - 2, "─")
    return f" {line}▶" if goes_right else f"◀{line} "
