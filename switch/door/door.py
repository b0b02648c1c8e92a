"""What a stranger may do here: how often guess, how much be told, and who is no stranger.

A trunk (a carrier's, or a customer's by address), an address in `never_ban` and a flow with a live binding are none. So
a ban on an office's address leaves its registered phones alone: their flows go on, for their own lines only, and an
emergency call from them passes. All that is asked for a call that uses none of this is whether there is any ban, and
how its User-Agent begins.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from provisioning.printable import shorten
from switch.door.answer_budget import AnswerBudgets
from switch.door.ban_record import BAN_KEY, ban_key, decode_ban, encode_ban
from switch.door.bans import Ban, Bans
from switch.door.line_watch import LineWatch
from switch.door.sources import Networks, source_of, sources_of
from switch.sip.flow import Flow
from switch.sip.host import is_loopback
from switch.sip.message import Request
from switch.sip.user import Silence

if TYPE_CHECKING:
    from switch.books import Books
    from switch.config import Conf
    from switch.registrar.bindings import Bindings

BANNED: Final = Silence("banned source")
SCANNER: Final = Silence("scanner")
OVER_BUDGET: Final = "answer over budget"

Put = tuple[str, bytes | None]

log = structlog.get_logger(__name__)


class Door:
    """One a process. `is_trunk` knows the carriers' addresses, `record` takes what the journal is to keep, and
    `offset_ms()` is UTC less the monotonic clock."""

    __slots__ = (
        "_agents",
        "_bindings",
        "_books",
        "_budgets",
        "_is_trunk",
        "_never_ban",
        "_offset_ms",
        "_record",
        "_watch",
        "bans",
        "lines_attacked",
    )

    def __init__(
        self,
        conf: "Conf",
        bindings: "Bindings",
        books: "Books",
        *,
        is_trunk: Callable[[str, int], bool],
        record: Callable[[list[Put]], object],
        offset_ms: Callable[[], int],
    ) -> None:
        self.bans = Bans(conf.security)
        self.lines_attacked = 0  # alarms: a line's password tried from many sources
        self._bindings = bindings
        self._books = books
        self._budgets = AnswerBudgets()
        self._watch = LineWatch()
        self._is_trunk = is_trunk
        self._record = record
        self._offset_ms = offset_ms
        self.take_over(conf)

    def take_over(self, conf: "Conf") -> None:
        """A changed configuration. Bans in force keep their time; who is now exempt is so at once."""
        self.bans.settings = conf.security
        self._agents = conf.security.scanner_user_agents
        self._never_ban = Networks(conf.security.never_ban)

    def restore(self, state: Mapping[str, bytes], now: float) -> None:
        """The bans that the journal kept."""
        offset_ms = self._offset_ms()
        found = []
        for key, value in state.items():
            if key.startswith(BAN_KEY):
                try:
                    found.append(decode_ban(value, offset_ms))
                except msgspec.MsgspecError:
                    log.warning("ban_unreadable", key=shorten(key))
        self._forget(self.bans.restore(found, now))

    @property
    def budgets_count(self) -> int:
        """Sources whose answers are counted."""
        return len(self._budgets)

    # Asked by the exchange for a request outside a dialog, by the stack for one that it refuses

    def silence(self, request: Request, flow: Flow, now: float) -> Silence | None:
        """Why it gets no answer, or None."""
        if self.is_silenced(flow, now):
            return BANNED
        agent = request.headers.get("user-agent")
        if agent is not None and agent.lower().startswith(self._agents) and self.is_stranger(flow, now):
            return SCANNER
        return None

    def shuts_out(self, user: str, flow: Flow, now: float) -> bool:
        """Whether a right login counts for nothing, because its source guesses: the answer is that of a wrong one."""
        if not self.bans.count:
            return False
        if not self.is_banned(flow, now) and not self.bans.is_shut(source_of(flow.remote_host), user, now):
            return False
        return not self._is_exempt(flow) and not self._bindings.is_live(flow, now, user)

    def login_failed(self, user: str, flow: Flow, now: float) -> None:
        """A wrong answer to a challenge that this very source was given."""
        if self._is_exempt(flow) or self.is_banned(flow, now):
            return
        sources = sources_of(flow.remote_host)
        for ban in self.bans.failed(sources, user, now):
            self._begun(ban)
        if self._watch.failed(user, sources[0], now):
            self.lines_attacked += 1
            log.warning("line_attacked_from_many_sources", line=shorten(user))

    def is_silenced(self, flow: Flow, now: float) -> bool:
        """Whether nothing from here is answered: the address is banned, and nobody is registered on this flow."""
        return self.is_banned(flow, now) and not self._bindings.is_live(flow, now)

    # Asked by the stack, for an answer that nothing is kept of

    def is_stranger(self, flow: Flow, now: float) -> bool:
        return not self._bindings.is_live(flow, now) and not self._is_exempt(flow)

    def is_banned(self, flow: Flow, now: float) -> bool:
        """Whether the address is, whoever else is behind it."""
        bans = self.bans
        if not bans.count or not any(bans.is_banned(source, now) for source in sources_of(flow.remote_host)):
            return False
        return not self._is_exempt(flow)

    def refusal_to_answer(self, flow: Flow, octets: int, now: float) -> str:
        """Why a stranger is not sent an answer of this size, or ""."""
        if flow.is_reliable or is_loopback(flow.remote_host):
            return ""  # nobody forges these, so nobody is hit by the answer
        return "" if self._budgets.take(source_of(flow.remote_host), octets, now) else OVER_BUDGET

    # The operator

    def ban(self, source: str, for_s: float, now: float) -> Ban | None:
        """None when there is no room."""
        ban = self.bans.add(source, for_s, now)
        if ban is not None:
            self._begun(ban)
        return ban

    def lift(self, source: str) -> int:
        """What is held against a source, "" for all; how many bans in force or remembered that were."""
        gone = self.bans.lift(source)
        self._forget(gone)
        if gone:
            log.info("bans_lifted", source=source or "all", count=len(gone))
        return len(gone)

    def on_second(self, now: float) -> None:
        self._forget(self.bans.sweep(now))
        self._watch.sweep(now)

    def _begun(self, ban: Ban) -> None:
        self._record([(ban_key(ban), encode_ban(ban, self._offset_ms()))])
        log.warning(
            "source_banned",
            source=ban.source,
            line=shorten(ban.user),
            reason=ban.reason.value,
            failures=ban.failures,
            users=[shorten(user) for user in ban.users],
            for_s=round(ban.until - ban.since),
        )

    def _forget(self, bans: list[Ban]) -> None:
        if bans:
            self._record([(ban_key(ban), None) for ban in bans])

    def _is_exempt(self, flow: Flow) -> bool:
        return (
            self._is_trunk(flow.remote_host, flow.remote_port)
            or self._books.line_at(flow) is not None
            or flow.remote_host in self._never_ban
        )
