"""Asking name servers, for the names of trunks: dnspython on the event loop, with limits, and never in a call's way.

Thin; decides nothing. `locate` (switch/trunks/locate.py) says what to ask next and what the answers come to; what is
known meanwhile is in switch/trunks/names.py.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.message
import dns.nameserver
import dns.rdatatype
import dns.resolver
import structlog

from switch.conf_addresses import TrunkAddress
from switch.trunks.locate import (
    RECORDS_MAX,
    Answer,
    Located,
    Naptr,
    Question,
    Reach,
    Srv,
    Wanted,
    locate,
)

QUERY_S: Final = 2.0  # one name server's time for one question
QUESTION_S: Final = 5.0  # all of them, with repeats
LOOKUP_S: Final = 15.0  # NAPTR, SRV and addresses come one after another
QUESTIONS_MAX: Final = 64  # of one look-up, whatever the answers name next
AT_ONCE_MAX: Final = 16  # questions in flight, so that many names do not flood a name server

log = structlog.get_logger("switch.transport")


class Resolver:
    """`found(wanted, located)` is told how each look-up ended. No servers: those of /etc/resolv.conf."""

    __slots__ = ("_found", "_room", "_tasks", "_upstream")

    def __init__(self, servers: Iterable[TrunkAddress], found: Callable[[Wanted, Located], None]) -> None:
        self._found = found
        self._upstream = _upstream(servers)
        self._room = asyncio.Semaphore(AT_ONCE_MAX)
        self._tasks: set[asyncio.Task[None]] = set()

    def use(self, servers: Iterable[TrunkAddress]) -> None:
        """Ask these from now on."""
        self._upstream = _upstream(servers)

    def look_up(self, names: Iterable[Wanted], reach: Reach) -> None:
        for wanted in names:
            task = asyncio.get_running_loop().create_task(
                self._look_up(wanted, reach), name=f"dns {wanted.host}"
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look_up(self, wanted: Wanted, reach: Reach) -> None:
        try:
            async with asyncio.timeout(LOOKUP_S):
                located = await self._locate(wanted, reach)
        except TimeoutError:
            located = Located((), 0.0, f"no end after {LOOKUP_S:g} s")
        except Exception as error:  # the border: a name server's odd answer must not end the asking
            log.exception("bug_in_look_up", host=wanted.host)
            located = Located((), 0.0, type(error).__name__)
        self._found(wanted, located)

    async def _locate(self, wanted: Wanted, reach: Reach) -> Located:
        known: dict[Question, Answer] = {}
        while True:
            step = locate(wanted, known, reach)
            if isinstance(step, Located):
                return step
            if len(known) + len(step) > QUESTIONS_MAX:
                return Located((), 0.0, f"more than {QUESTIONS_MAX} questions")
            answers = await asyncio.gather(*(self._ask(question) for question in step))
            known.update(zip(step, answers, strict=True))

    async def _ask(self, question: Question) -> Answer:
        if self._upstream is None:
            return Answer(0.0, problem="no name server is configured")
        async with self._room:
            try:
                answer = await self._upstream.resolve(
                    question.name + ".", question.kind, raise_on_no_answer=False, lifetime=QUESTION_S
                )
            except dns.resolver.NXDOMAIN as absent:
                return Answer(_negative_ttl(absent))
            except dns.resolver.NoNameservers:
                return Answer(0.0, problem="the name servers fail")
            except dns.resolver.LifetimeTimeout:
                return Answer(0.0, problem="the name servers do not answer")
            except (dns.exception.DNSException, OSError, ValueError, UnicodeError) as error:
                return Answer(0.0, problem=f"the answer cannot be used ({type(error).__name__})")
        return _read(question, answer)


def _upstream(servers: Iterable[TrunkAddress]) -> dns.asyncresolver.Resolver | None:
    """None where the system has no name server: a trunk by name then has none, and everything else works."""
    chosen = [dns.nameserver.Do53Nameserver(server.host, server.port) for server in servers]
    try:
        upstream = dns.asyncresolver.Resolver(configure=not chosen)
    except (dns.exception.DNSException, OSError, ValueError) as error:
        log.warning("no_name_servers", problem=str(error))
        return None
    if chosen:
        upstream.nameservers = list(chosen)
    upstream.timeout = QUERY_S
    return upstream


def _read(question: Question, answer: dns.resolver.Answer) -> Answer:
    ttl_s = float(answer.chaining_result.minimum_ttl)
    records = list(answer.rrset)[:RECORDS_MAX] if answer.rrset is not None else []
    match question.kind:
        case "NAPTR":
            return Answer(
                ttl_s, naptrs=tuple(naptr for record in records if (naptr := _naptr(record)) is not None)
            )
        case "SRV":
            return Answer(
                ttl_s,
                srvs=tuple(Srv(r.priority, r.weight, r.port, _name(r.target)) for r in records),
            )
        case _:
            return Answer(ttl_s, addresses=tuple(str(record.address) for record in records))


def _naptr(record: object) -> Naptr | None:
    """None for one with a regular expression: RFC 3263 4.1 uses the replacement alone."""
    if getattr(record, "regexp", b""):
        return None
    flags, service = getattr(record, "flags", b""), getattr(record, "service", b"")
    return Naptr(
        getattr(record, "order", 0),
        getattr(record, "preference", 0),
        flags.decode("ascii", "replace"),
        service.decode("ascii", "replace"),
        _name(getattr(record, "replacement", None)),
    )


def _name(name: object) -> str:
    """Without the dot of the root; "" for the root itself, and for what is no host name."""
    text = str(name).removesuffix(".").lower()
    is_sound = text.isascii() and text.replace("-", "a").replace("_", "a").replace(".", "a").isalnum()
    return text if is_sound else ""


def _negative_ttl(absent: dns.resolver.NXDOMAIN) -> float:
    """RFC 2308 5: what the SOA in the answer says."""
    try:
        responses: dict[object, dns.message.QueryMessage] = absent.kwargs["responses"]
        return min(float(response.resolve_chaining().minimum_ttl) for response in responses.values())
    except (dns.exception.DNSException, KeyError, ValueError):
        return 0.0
