"""The voicemail server as calls see it: where it is, whether it answers, and how it is asked for what.

It is a process of its own, reached by plain SIP. Whether it is there is known ahead of calls, by OPTIONS: a call that
is refused or diverted while it is away is treated as if there were none, at once. Only in the moment in which it dies
do calls wait REACTION_S in vain. An OPTIONS is a datagram without a transaction: the next one is its repeat. All
have one Call-ID, which tells voicemail when another life of the switch asks; what voicemail says of itself (Server,
User-Agent) tells the switch the same of it. When it is another one or falls silent, its calls are in doubt, and are
asked for (`voicemail_calls.py`). The Request-URIs are the whole of what it is told:

    deposit.<user>              a caller leaves a message; Diversion says why
    retrieve.<user>             the line itself, which has proven who it is, listens to its messages
    retrieve                    somebody does, who is asked for number and PIN
    announce.<prompt>;status=n  the prompt as early media, then that refusal
    say;words=a.b.c;keys=3      it answers, speaks, and takes these keys while it does
    music;music=hold            it answers and plays until BYE
    conference.<account>-<room> all who call it hear each other
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from provisioning.model import DivertCondition, Line
from switch.calls.own_diversions import REASONS
from switch.calls.target import VoicemailTarget
from switch.sip.flow import UDP, Flow
from switch.sip.headers import Headers
from switch.sip.host import host_port
from switch.sip.message import Request, Response, format_message
from switch.sip.uri import escape_user
from switch.token_bucket import TokenBucket

if TYPE_CHECKING:
    from switch.calls.refusal import Refusal
    from switch.conf_voicemail import Voicemail
    from switch.journey.moves import Menu, Queue
    from switch.sip.stack import Stack
    from switch.sip.tokens import Tokens

# By then the INVITE has gone out twice over a link of one machine. Longer, and a caller takes the silence for a fault.
REACTION_S: Final = 1.0
# It is asked when nothing has been heard of it for so long, and then each second until it answers.
PROBE_S: Final = 1.5
# Unanswered ones after which it is away: a single datagram may be lost in a full buffer.
PROBES_UNANSWERED_MAX: Final = 2
# No announcement is longer: then the bare refusal goes out.
ANNOUNCEMENT_S_MAX: Final = 60.0
# How our voicemail server names itself; in brackets after it, which life of it that is. Others' names say nothing.
PRODUCT: Final = "Offhook-Voicemail"
# Announcements that begin in a second. Refusing costs a bare answer, announcing a call leg: whoever redials by machine
# must not make it the rule. Ten people a second who dial a wrong number are a large exchange.
ANNOUNCEMENTS_PER_SECOND: Final = 10.0
# Of one caller at once. A phone has one or two calls; a PBX has more callers, but seldom wrong ones together.
ANNOUNCEMENTS_PER_CALLER_MAX: Final = 3


log = structlog.get_logger(__name__)


class Names(Protocol):
    """What it has to know of the network."""

    @property
    def domain(self) -> str: ...

    def sent_by(self, flow: Flow) -> str: ...

    def contact_of(self, flow: Flow) -> str: ...

    def flow_to(self, transport: str, host: str, port: int) -> Flow: ...


class VoicemailServer:
    """One a process. `is_there`: it has answered lately. Counters only grow."""

    __slots__ = (
        "_announcing",
        "_budget",
        "_heard_at",
        "_life",
        "_names",
        "_probe_id",
        "_stack",
        "_tokens",
        "_unanswered",
        "announcements",
        "announcements_refused",
        "announcing",
        "conf",
        "diverted",
        "flow",
        "is_there",
        "lost",
        "on_doubt",
        "restarts",
        "silent_calls",
    )

    def __init__(self, conf: "Voicemail", stack: "Stack", tokens: "Tokens", names: Names) -> None:
        self._stack = stack
        self._tokens = tokens
        self._names = names
        self._announcing: Counter[str] = Counter()  # by caller: a line's user or a trunk's name
        self._budget = TokenBucket(ANNOUNCEMENTS_PER_SECOND, 1.0 * conf.announcements_max, 0.0)
        self.announcing = 0
        self._heard_at = float("-inf")
        self._life = ""
        self.on_doubt: Callable[[float, float], None] = _nobody
        self._probe_id = tokens.call_id()
        self._unanswered = 0
        self.announcements: Counter[str] = Counter()  # by prompt
        self.announcements_refused: Counter[str] = Counter()  # by limit
        self.diverted: Counter[str] = Counter()  # calls sent to voicemail, by condition
        self.lost = 0  # times that it fell silent
        self.restarts = 0  # times that another life of it answered
        self.silent_calls = 0  # calls that it did not react to
        self.flow: Flow | None = None
        self.is_there = False
        self.take_over(conf)

    def take_over(self, conf: "Voicemail") -> None:
        """A changed configuration. At another address it has to answer first."""
        self.conf = conf
        address = conf.sip
        flow = None if address is None else self._names.flow_to(UDP, address.host, address.port)
        if flow != self.flow:
            self.flow = flow
            self.is_there = False
        self._budget.burst = 1.0 * conf.announcements_max

    def is_from(self, flow: Flow) -> bool:
        """Whether a datagram came from its address and port."""
        own = self.flow
        return (
            own is not None
            and flow.remote_port == own.remote_port
            and flow.remote_host == own.remote_host
            and flow.transport == UDP
        )

    # Is it there?

    def run(self, now: float) -> None:
        """Once a second."""
        if self.flow is None:
            return
        if self._unanswered >= PROBES_UNANSWERED_MAX:
            self.fell_silent(now)
        if self._unanswered or not self.is_there or now - self._heard_at >= PROBE_S:
            self._unanswered += 1
            self._stack.counts.request_sent("OPTIONS")
            self._stack.outgoing.append((self.flow, format_message(self._options(self.flow))))

    def takes(self, response: Response, flow: Flow, now: float) -> bool:
        """Whether a response that no transaction waits for is the answer to an OPTIONS."""
        if response.call_id != self._probe_id or not self.is_from(flow):
            return False
        self.heard(response.headers.get("server") or "", now)
        return True

    def heard(self, life: str, now: float) -> None:
        """It said something, whatever that was. `life` is its Server or User-Agent, "" where there is none."""
        if life != self._life and life.startswith(PRODUCT):
            before, self._life = self._life, life
            if before:
                self.restarts += 1
                log.warning("voicemail_restarted", address=self._host_port())
                self.on_doubt(self._heard_at, now)
        self._unanswered = 0
        self._heard_at = now
        if not self.is_there:
            self.is_there = True
            log.info("voicemail_there", address=self._host_port())

    def fell_silent(self, now: float) -> None:
        if self.is_there:
            self.is_there = False
            self.lost += 1
            log.warning("voicemail_silent", address=self._host_port())
            self.on_doubt(self._heard_at, now)

    def missed_call(self, now: float) -> None:
        """A call has waited for it in vain."""
        self.silent_calls += 1
        self.fell_silent(now)

    # What it is asked for; None where it cannot be

    def deposit(self, line: Line, condition: DivertCondition) -> VoicemailTarget | None:
        """A message for the line."""
        if self.flow is None or not self.is_there:
            return None
        self.diverted[condition.value] += 1
        user = escape_user(line.user)
        reason = REASONS[condition]
        field = ("Diversion", f"<sip:{user}@{self._names.domain}>;reason={reason};counter=1")
        uri = f"sip:deposit.{user}@{self._host_port()}"
        return VoicemailTarget(self.flow, uri, f"divert_{condition.value}", line, [field])

    def retrieval(self, line: Line | None) -> VoicemailTarget | None:
        """A line's own messages, or somebody's who has still to say whose."""
        if self.flow is None or not self.is_there:
            return None
        whose = "" if line is None else f".{escape_user(line.user)}"
        return VoicemailTarget(self.flow, f"sip:retrieve{whose}@{self._host_port()}", "retrieval", line)

    def saying(self, words: Sequence[str], keys: str = "") -> VoicemailTarget | None:
        """Words that a caller hears answered: what a service code has done."""
        if self.flow is None or not self.is_there:
            return None
        taken = f";keys={keys}" if keys else ""
        uri = f"sip:say@{self._host_port()};words={'.'.join(words)}{taken}"
        return VoicemailTarget(self.flow, uri, "service")

    def words(self, prompt: str, refused: "Refusal") -> VoicemailTarget | None:
        """Words before an answer, and that refusal after them, where somebody has chosen so for his calls."""
        query = f"status={refused.status};cause={refused.q850_cause}"
        return self._service(f"announce.{prompt}", query, f"words {prompt}")

    def menu(self, menu: "Menu", plan: str) -> VoicemailTarget | None:
        """A prompt, and what the caller presses."""
        asked = [f"prompt={menu.prompt}", f"timeout={menu.timeout_s}", f"tries={menu.tries}"]
        if menu.choices:
            asked.append(f"choices={'.'.join(menu.choices).replace('*', 's').replace('#', 'h')}")
        if menu.extension_digits:
            asked.append(f"extension={menu.extension_digits}")
        return self._service("menu", ";".join(asked), f"menu of plan {plan}")

    def queue(self, queue: "Queue", position: int) -> VoicemailTarget | None:
        """Music, and the caller's place in the row as it changes."""
        asked = [f"position={position}"]
        if queue.music:
            asked.append(f"music={queue.music}")
        if queue.says_position:
            asked.append("says=1")
        return self._service("queue", ";".join(asked), f"queue {queue.name}")

    def music(self) -> VoicemailTarget | None:
        """For somebody who waits, until he is fetched."""
        return self._service("music", "music=hold", "music")

    def conference(self, room: str) -> VoicemailTarget | None:
        """All who are in the room hear each other."""
        return self._service(f"conference.{room}", "", f"conference {room}")

    def _service(self, what: str, asked: str, reason: str) -> VoicemailTarget | None:
        if self.flow is None or not self.is_there:
            return None
        query = f";{asked}" if asked else ""
        return VoicemailTarget(self.flow, f"sip:{what}@{self._host_port()}{query}", reason)

    def announcement(self, prompt: str, refused: "Refusal", caller: str) -> VoicemailTarget:
        """Words for a refusal, where there is room for them. The room is given back by `announcement_ended`."""
        assert self.flow is not None
        self._announcing[caller] += 1
        self.announcing += 1
        self.announcements[prompt] += 1
        query = f"status={refused.status};cause={refused.q850_cause}"
        uri = f"sip:announce.{prompt}@{self._host_port()};{query}"
        return VoicemailTarget(self.flow, uri, f"announcement {prompt}")

    def announcement_ended(self, caller: str) -> None:
        self.announcing -= 1
        self._announcing[caller] -= 1
        if not self._announcing[caller]:
            del self._announcing[caller]

    def has_room(self, caller: str, now: float) -> bool:
        """Whether this caller may be told a refusal in words now. It counts as one of those of this second."""
        limit = ""
        if self.announcing >= self.conf.announcements_max:
            limit = "at_once"
        elif self._announcing[caller] >= ANNOUNCEMENTS_PER_CALLER_MAX:
            limit = "of_one_caller"
        elif not self._budget.take(now):
            limit = "a_second"
        if limit:
            self.announcements_refused[limit] += 1
        return not limit

    def _host_port(self) -> str:
        assert self.flow is not None
        return host_port(self.flow.remote_host, self.flow.remote_port)

    def _options(self, flow: Flow) -> Request:
        headers = Headers()
        sent_by = self._names.sent_by(flow)
        headers.add("via", f"SIP/2.0/UDP {sent_by};rport;branch={self._tokens.branch()}")
        headers.add("max-forwards", "70")
        headers.add("from", f"<sip:{self._names.domain}>;tag={self._tokens.tag()}")
        headers.add("to", f"<sip:{self._host_port()}>")
        headers.add("call-id", self._probe_id)
        headers.add("cseq", "1 OPTIONS")
        headers.add("contact", self._names.contact_of(flow))
        return Request("OPTIONS", f"sip:{self._host_port()}", headers)


def _nobody(heard_at: float, now: float) -> None:
    """Until somebody wants to know."""
