"""INVITEs that never became a call: no record has them, so they are told from messages that the switch still keeps.

Scanners, phones that do not answer the challenge or have a wrong password, carriers whose address is no trunk's. What a
caller withheld is taken out.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from care.ladder.sip_facts import SipFacts, sip_facts
from care.story import CallStory
from care.switch_asking import ask_switch_for
from provisioning.printable import shorten
from switch.sip.host import host_port
from traces.call_trace import CallTrace
from traces.withholding import without_caller

TEXT_CHARS_MAX: Final = 80
CHALLENGES: Final = frozenset({401, 407})
CALLER_LEG: Final = 0
# Asking for it in any of these ways hides the number (RFC 3323, RFC 3325, RFC 7044).
_PRIVACIES: Final = frozenset({"id", "user", "header", "history"})
_ANONYMOUS: Final = "anonymous.invalid"

NEVER_ANSWERED: Final = "it never answered the challenge for its password"
WRONG_LOGIN: Final = "its login was refused"
NOT_ANSWERED: Final = "no answer was given"


class RefusedInvite(msgspec.Struct, frozen=True):
    """One INVITE with its repeats and tries. Texts are the peer's: escape them. `status` 0: it was not answered."""

    at_ms: int
    sip_call_id: str
    source: str
    transport: str
    caller: str
    called: str
    status: int
    words: str
    tries: int
    user_agent: str


class RefusedSource(Protocol):
    """Who has them in memory."""

    async def refused(self, sip_call_id: str = "") -> list[CallTrace]:
        """The latest first; the one with this SIP Call-ID, or the latest of all. Raises SwitchSilentError."""


class SwitchRefused:
    """The switch that serves this control socket."""

    def __init__(self, control_socket: Path) -> None:
        self._control = control_socket

    async def refused(self, sip_call_id: str = "") -> list[CallTrace]:
        return await ask_switch_for(list[CallTrace], self._control, "refused_invites", call_id=sip_call_id)


def refused_invite(trace: CallTrace) -> RefusedInvite | None:
    """None for a trace without an INVITE that can be read."""
    trace = shown_trace(trace)
    requests: list[SipFacts] = []
    status, phrase, first = 0, "", None
    for message in trace.messages:
        facts = sip_facts(message.data)
        if facts is None:
            continue
        if not message.is_sent and facts.is_request and facts.method == "INVITE":
            first = first or message
            requests.append(facts)
        elif message.is_sent and facts.status >= 200 and facts.method == "INVITE":
            status, phrase = facts.status, facts.phrase
    if first is None:
        return None
    flow = trace.flows[first.flow]
    last = requests[-1]
    return RefusedInvite(
        at_ms=first.at_us // 1000,
        sip_call_id=trace.call_id,
        source=host_port(flow.remote_host, flow.remote_port),
        transport=flow.transport,
        caller=shorten(last.field("from"), TEXT_CHARS_MAX),
        called=shorten(_target(trace), TEXT_CHARS_MAX),
        status=status,
        words=_words(status, phrase, requests),
        tries=len(requests),
        user_agent=shorten(last.field("user-agent"), TEXT_CHARS_MAX),
    )


def _words(status: int, phrase: str, requests: Sequence[SipFacts]) -> str:
    if not status:
        return NOT_ANSWERED
    if status not in CHALLENGES:
        return shorten(f"{status} {phrase}".strip(), TEXT_CHARS_MAX)
    has_tried = any(each.field("proxy-authorization") or each.field("authorization") for each in requests)
    return WRONG_LOGIN if has_tried else NEVER_ANSWERED


def _target(trace: CallTrace) -> str:
    """Whom it was for: the Request-URI."""
    for message in trace.messages:
        line = message.data.lstrip(b"\r\n").split(b"\r\n", 1)[0].decode("utf-8", "surrogateescape")
        if not message.is_sent and line.startswith("INVITE "):
            return line.removeprefix("INVITE ").rpartition(" ")[0]
    return ""


def shown_trace(trace: CallTrace) -> CallTrace:
    """Its messages as those of a caller's leg, without whom he is where he asked for that."""
    messages = [msgspec.structs.replace(message, leg=CALLER_LEG) for message in trace.messages]
    shown = msgspec.structs.replace(trace, messages=messages)
    return without_caller(shown) if any(_is_private(message.data) for message in messages) else shown


def _is_private(data: bytes) -> bool:
    facts = sip_facts(data)
    if facts is None or not facts.is_request:
        return False
    asked = {word.strip().lower() for word in facts.field("privacy").replace(",", ";").split(";")}
    return bool(asked & _PRIVACIES) or _ANONYMOUS in facts.field("from").lower()


def story_of_refused(trace: CallTrace) -> CallStory:
    """For the ladder: messages alone, without a record."""
    return CallStory(legs=[], trace=shown_trace(trace))
