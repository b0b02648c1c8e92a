"""Finding a SIP server by name: RFC 3263 4, with the weights of RFC 2782. Pure: a table of answers in, addresses out.

`locate` is a function of what the name servers have said so far: either it names what is still to be asked, or it has
the result. So the whole look-up is tested with a dictionary, and whoever asks (switch/transport/resolver.py) decides
nothing. Depth is bounded by its shape, NAPTR to SRV to addresses; breadth by the limits below.

Left out: SIPS URIs (4.1's rule that they need a secure transport), DNSSEC, and NAPTR records with a regular expression,
which RFC 3263 4.1 does not use.
"""

from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Final, NamedTuple

from switch.sip.flow import TCP, TLS, UDP

# Carriers publish two to eight targets; what a name server says beyond this is left out, so that nobody can make
# a call try addresses for minutes or the resolver ask for ever.
RECORDS_MAX: Final = 32  # of one answer
SERVICES_MAX: Final = 6  # SRV names that NAPTR records lead to
TARGETS_MAX: Final = 16  # hosts that SRV records lead to, all services together
ADDRESSES_MAX: Final = 8  # of one host
ENDPOINTS_MAX: Final = 32

SIP_PORT: Final = 5060
TLS_PORT: Final = 5061
ANY: Final = ""  # whatever transport the name offers

# RFC 3263 4.1: the service fields of NAPTR records, and the SRV names where there are none, in our order of preference.
_SERVICES: Final = {"SIP+D2U": UDP, "SIP+D2T": TCP, "SIPS+D2T": TLS}
_SRV_PREFIXES: Final = {UDP: "_sip._udp.", TCP: "_sip._tcp.", TLS: "_sips._tcp."}


class Wanted(NamedTuple):
    """What is to be found. `host` is a name, `port` 0 where none was written, `transport` ANY or a Flow's word."""

    host: str
    port: int
    transport: str


class Question(NamedTuple):
    """`kind` is "NAPTR", "SRV", "A" or "AAAA"."""

    name: str
    kind: str


class Naptr(NamedTuple):
    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    priority: int
    weight: int
    port: int
    target: str  # "" is the root: the service is not offered (RFC 2782)


class Answer(NamedTuple):
    """To one question. None of the lists filled and no problem: there is no such record, for `ttl_s`."""

    ttl_s: float
    naptrs: tuple[Naptr, ...] = ()
    srvs: tuple[Srv, ...] = ()
    addresses: tuple[str, ...] = ()
    problem: str = ""  # nobody answered, or not what was asked


class Reach(NamedTuple):
    """What this exchange can send on."""

    transports: tuple[str, ...] = (UDP, TCP)
    families: tuple[str, ...] = ("A",)


class Endpoint(NamedTuple):
    """Where a message can be sent: a transport, an address and a port."""

    transport: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport.lower()}:{host}:{self.port}"


class Choice(NamedTuple):
    """The addresses of one host; those of one group are picked by weight."""

    weight: int
    endpoints: tuple[Endpoint, ...]


class Located(NamedTuple):
    """Groups in the order of trying. None: `problem` says whether that is a failure or the name's own word ("")."""

    groups: tuple[tuple[Choice, ...], ...]
    ttl_s: float
    problem: str = ""


NOTHING_YET: Final = Answer(0.0)


class _Answers:
    """What is known, and what was asked for in vain."""

    __slots__ = ("_known", "missing", "problem", "ttl_s")

    def __init__(self, known: Mapping[Question, Answer]) -> None:
        self._known = known
        self.missing: list[Question] = []
        self.ttl_s = float("inf")
        self.problem = ""

    def get(self, name: str, kind: str) -> Answer:
        question = Question(name, kind)
        answer = self._known.get(question)
        if answer is None:
            if question not in self.missing:
                self.missing.append(question)
            return NOTHING_YET
        if answer.problem:
            self.problem = f"{kind} of {name}: {answer.problem}"
        self.ttl_s = min(self.ttl_s, answer.ttl_s)
        return answer


def locate(wanted: Wanted, known: Mapping[Question, Answer], reach: Reach) -> Located | tuple[Question, ...]:
    """The result, or the questions without whose answers it cannot be had; those may be asked all at once."""
    answers = _Answers(known)
    services = _services(wanted, answers, reach)
    targets = _targets(wanted, services, answers)
    groups = _groups(targets, answers, reach)
    if answers.missing:
        return tuple(answers.missing)
    return Located(groups, answers.ttl_s, "" if groups else answers.problem)


def in_order(located: Located, random: Callable[[], float]) -> tuple[Endpoint, ...]:
    """Every address in the order in which one call tries them; `random` gives 0 to below 1."""
    endpoints: list[Endpoint] = []
    for group in located.groups:
        for choice in by_weight(group, random):
            endpoints.extend(endpoint for endpoint in choice.endpoints if endpoint not in endpoints)
    return tuple(endpoints[:ENDPOINTS_MAX])


def by_weight(group: tuple[Choice, ...], random: Callable[[], float]) -> list[Choice]:
    """RFC 2782: the next one is drawn by weight from those left; weight 0 has its small chance, as it stands first."""
    left = sorted(group, key=lambda choice: choice.weight)
    ordered: list[Choice] = []
    while len(left) > 1:
        drawn = int(random() * (sum(choice.weight for choice in left) + 1))  # 0 to the sum, both included
        running = 0
        for place, choice in enumerate(left):
            running += choice.weight
            if running >= drawn:
                ordered.append(left.pop(place))
                break
    return ordered + left


def _services(wanted: Wanted, answers: _Answers, reach: Reach) -> list[tuple[str, str]]:
    """(transport, SRV name) in order; an empty list where the host itself is to be asked for its addresses."""
    if wanted.port:
        return []
    if wanted.transport != ANY:
        return [(wanted.transport, _SRV_PREFIXES[wanted.transport] + wanted.host)]
    naptrs = answers.get(wanted.host, "NAPTR").naptrs
    if answers.missing:
        return []
    if services := _chosen(naptrs, reach):
        return services
    # No usable NAPTR: each transport may still have its SRV. A name server that fails at NAPTR fails often at nothing
    # else, so that alone is no reason to give up.
    answers.problem = ""
    return [(transport, _SRV_PREFIXES[transport] + wanted.host) for transport in _spoken(reach)]


def _chosen(naptrs: tuple[Naptr, ...], reach: Reach) -> list[tuple[str, str]]:
    """Of the records that we can use, those of the lowest order (RFC 3403 4.1), by preference."""
    usable = [
        record
        for record in naptrs[:RECORDS_MAX]
        if record.flags.lower() == "s"
        and record.replacement
        and _SERVICES.get(record.service.upper()) in reach.transports
    ]
    if not usable:
        return []
    lowest = min(record.order for record in usable)
    best = sorted((r for r in usable if r.order == lowest), key=lambda r: r.preference)
    return [(_SERVICES[record.service.upper()], record.replacement) for record in best[:SERVICES_MAX]]


def _spoken(reach: Reach) -> list[str]:
    return [transport for transport in _SRV_PREFIXES if transport in reach.transports]


class _Target(NamedTuple):
    group: int
    weight: int
    transport: str
    host: str
    port: int


def _targets(wanted: Wanted, services: list[tuple[str, str]], answers: _Answers) -> list[_Target]:
    """Hosts and ports, in groups of equal priority."""
    found = [(transport, answers.get(name, "SRV").srvs[:RECORDS_MAX]) for transport, name in services]
    if answers.missing:
        return []
    targets: list[_Target] = []
    for transport, records in found:
        in_order_ = sorted((r for r in records if r.target and r.port), key=lambda r: r.priority)
        group = targets[-1].group + 1 if targets else 0
        for number, (_, equal) in enumerate(groupby(in_order_, key=lambda r: r.priority)):
            targets.extend(_Target(group + number, r.weight, transport, r.target, r.port) for r in equal)
    if any(records for _, records in found) or answers.problem:
        # Targets, or a "." that says no, or no answer: asking the host itself would find somebody's web server.
        return targets[:TARGETS_MAX]
    transport = wanted.transport or UDP  # 4.1: no SRV at all, so UDP
    port = wanted.port or (TLS_PORT if transport == TLS else SIP_PORT)
    return [_Target(0, 0, transport, wanted.host, port)]


def _groups(targets: list[_Target], answers: _Answers, reach: Reach) -> tuple[tuple[Choice, ...], ...]:
    groups = []
    for _, equal in groupby(targets, key=lambda target: target.group):
        choices = (_choice(target, answers, reach) for target in equal)
        if group := tuple(choice for choice in choices if choice.endpoints):
            groups.append(group)
    return tuple(groups)


def _choice(target: _Target, answers: _Answers, reach: Reach) -> Choice:
    addresses: list[str] = []
    for family in reach.families:
        addresses += answers.get(target.host, family).addresses[:ADDRESSES_MAX]
    if target.transport not in reach.transports:
        addresses = []
    return Choice(target.weight, tuple(Endpoint(target.transport, host, target.port) for host in addresses))
