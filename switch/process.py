"""The switch as a process: sockets, clock, journal and books round the exchange. Wiring, no decisions.

Whatever happens to the exchange is a turn (switch/turns.py).
"""

import asyncio
import contextlib
import os
import time
from pathlib import Path

import msgspec
import structlog

from provisioning.books.link import PROCESS_LOST, BooksLink
from provisioning.books.messages import (
    ChangeDone,
    Changes,
    Checkpointed,
    CreditMark,
    DatabaseDown,
    DatabaseUp,
    FromBooks,
    Resume,
    Shipped,
    SnapshotReady,
)
from provisioning.model import Snapshot
from rating.journal.link import JournalLink
from rating.journal.replay import read_journal
from switch.balances import CREDIT_KEY
from switch.calls.switchboard import WallClock
from switch.config import Conf, ConfProblems, conf_fingerprint, load_conf, settings_needing_restart
from switch.control import Control
from switch.edge.messages import EdgeCounts
from switch.exchange import Exchange
from switch.failpoints import failpoint_from_environment
from switch.journal_desk import JournalDesk
from switch.media_links import MediaLinks
from switch.metrics import serve_metrics
from switch.network import LocalNetwork
from switch.paths import SwitchPaths
from switch.price_files import PriceFiles
from switch.price_packer import pack_apart
from switch.sip.counts import Histogram
from switch.sip.host import host_port
from switch.trace_link import TraceLink
from switch.transport.edge_link import EdgeLink
from switch.transport.resolver import Resolver
from switch.trunks.locate import Located, Wanted
from switch.turns import Turns

DRAIN_S = 3.0  # for the BYEs of live calls to be answered when the exchange closes down
BOOKS_WAIT_S = 0.05
EDGE_WAIT_S = 1.0  # at start: the BYEs and refusals after a crash go to TCP phones, too
FIGURES_WAIT_S = 1.0
FIGURES_POLL_S = 0.01
LAG_PROBE_S = 0.1
BEAT_S = 1.0
KEEP_SHIPPED_BATCHES = 50_000  # shipped batches kept in the journal for re-shipping after a database restore

log = structlog.get_logger("switch")


class BooksState(msgspec.Struct):
    """What the books process last said."""

    is_up: bool = False
    reason: str = "not connected yet"
    shipped_batch: int = 0
    records_shipped: int = 0
    quarantined: int = 0


class SwitchProcess:
    """One running switch. `start`, then `run` until stopped, then `stop`."""

    def __init__(self, paths: SwitchPaths, conf: Conf, dsn: str) -> None:
        self.paths = paths
        self.conf = conf
        self.books_state = BooksState()
        self.reload_failures = 0
        self.loop_lag = Histogram()
        self.journal = JournalLink(
            paths.journal,
            on_durable=self._on_durable,
            on_failed=self._on_journal_failed,
            on_lost=self._on_journal_lost,
        )
        self._desk = JournalDesk(self.journal)
        self.books = BooksLink(
            dsn=dsn,
            journal=paths.journal,
            checkpoint=paths.checkpoint,
            on_message=self._on_books,
            resume=self._resume,
            history_days=conf.registrar.history_days,
        )
        self.turns = Turns(self.journal, self.books)
        self.exchange: Exchange
        self._network: LocalNetwork
        self._clock = WallClock(time.time() - time.monotonic())
        self._loop: asyncio.AbstractEventLoop
        self._resolver: Resolver
        self._edge_task: asyncio.Task[None] | None = None
        self._media: MediaLinks
        self.traces: TraceLink | None = None
        self._control = Control(self)
        self._beat: asyncio.TimerHandle | None = None
        self._probe: asyncio.TimerHandle | None = None
        self._snapshot: asyncio.Future[Path] | None = None
        self._early_changes: list[Changes] = []
        self._fingerprint = conf_fingerprint(paths.conf)
        self._is_reloading = False
        self._is_serving = False
        self._credit_marks: dict[int, int] = {}

    @staticmethod
    def now() -> float:
        """Monotonic seconds; the only clock of calls."""
        return time.monotonic()

    @property
    def unshipped_batches(self) -> int:
        return max(0, self.journal.last_batch - self.books_state.shipped_batch)

    @property
    def is_journal_failing(self) -> bool:
        return self._desk.is_failed

    @property
    def edge_state(self) -> str:
        """ "none", "connected" or "away"."""
        if self.turns.edge is None:
            return "none"
        return "connected" if self.turns.edge.is_connected else "away"

    @property
    def edge_counts(self) -> EdgeCounts:
        """What the edge last said; all zero without one."""
        return self.turns.edge.counts if self.turns.edge is not None else EdgeCounts()

    @property
    def link_reconnects(self) -> dict[str, int]:
        """How often each part beside the switch went away, by its name."""
        edge = {} if self.turns.edge is None else {"edge": self.turns.edge.reconnects}
        traces = {} if self.traces is None else {"traces": self.traces.reconnects}
        return edge | self._media.reconnects | traces

    def not_ready_reason(self) -> str:
        """Why no new call can be taken, or ""."""
        if not self._is_serving:
            return "starting"
        if self.exchange.board.is_draining:
            return "closing down"
        return "the journal does not commit" if self._desk.is_failed else ""

    # Starting

    async def start(self) -> None:
        """Everything up to the first datagram. Raises JournalRefusedError, OSError for a port in use."""
        self._loop = asyncio.get_running_loop()
        self.paths.journal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self.journal.start()
        snapshot = await self._first_snapshot()
        mark = (snapshot.journal_epoch, snapshot.journal_batch)
        contents = read_journal(self.paths.journal, epoch_mark=mark if snapshot.journal_epoch else None)
        self._bind_udp()
        self._make_edge_link()
        self._resolver = Resolver(self.conf.dns.servers, self._found)
        self.exchange = self._make_exchange(contents.state)
        usage = {account_id: -amount for account_id, amount in contents.usage_after_mark.items()}
        self.exchange.load_books(
            snapshot,
            usage,
            _credits_in(contents.state),
            contents.usage_by_day,
            state=contents.state,
            bundle_uses=contents.bundle_uses,
        )
        for balance in snapshot.balances:
            self._credit_marks[balance.account_id] = balance.credit_seq
        now = self.now()
        self.exchange.restore(contents.state, now)
        self.exchange.record_conf(now)
        self._media = MediaLinks(
            self.exchange,
            self.turns.take,
            relay_socket=self.paths.relay_socket,
            browser_socket=self.paths.browser_socket,
        )
        self.turns.begin(self.exchange, self._media)
        await self._connect_edge()
        await self._media.start()
        if self.paths.traces_socket is not None:
            self.traces = TraceLink(
                self.paths.traces_socket, self.exchange.tracer, lambda: self._clock.offset_s
            )
            self.traces.start()
        self._is_serving = True
        self.turns.finish()
        if self.exchange.relay is not None:
            self.exchange.relay.release()  # after the BYEs of the calls that it served for the process before us
        early, self._early_changes = self._early_changes, []
        for changes in early:
            self._apply(changes)
        for listener in self.turns.udp_listeners:
            listener.start(self._loop)
        await self._control.start(self.paths.control)
        self._serve_metrics()
        self._on_beat()
        self._probe_lag(self.now())
        log.info(
            "switch_ready",
            udp=[host_port(listener.host, listener.port) for listener in self.turns.udp_listeners],
            lines=len(self.exchange.books.lines),
            bindings=self.exchange.bindings.count,
            recovered_calls=self.exchange.counts.recovered_calls,
        )

    async def _first_snapshot(self) -> Snapshot:
        """The books, from PostgreSQL or from the last checkpoint; waits as long as there is neither."""
        self._snapshot = self._loop.create_future()
        self.books.start()
        path = await self._snapshot
        return msgspec.msgpack.decode(path.read_bytes(), type=Snapshot)

    def _make_exchange(self, state: dict[str, bytes]) -> Exchange:
        udp = [(listener.host, listener.port) for listener in self.turns.udp_listeners]
        expect_name = self.turns.edge.expect_name if self.turns.edge is not None else None
        self._network = LocalNetwork(self.conf, udp=udp, expect_name=expect_name)
        return Exchange(
            conf=self.conf,
            network=self._network,
            journal=self._desk,
            clock=self._clock,
            random_bytes=os.urandom,
            failpoints=failpoint_from_environment(),
            state=state,
        )

    def _serve_metrics(self) -> None:
        address = self.conf.metrics
        if address is None:
            return
        try:
            serve_metrics(self, address.host, address.port)
        except OSError as problem:  # calls go on without them, and Prometheus says that they are missing
            log.error("metrics_unserved", address=str(address), problem=problem.strerror or str(problem))

    def _bind_udp(self) -> None:
        for address in self.conf.listen.udp:
            try:
                self.turns.listen(address.host, address.port)
            except OSError as problem:
                text = f"[listen] udp {address}: {problem.strerror or problem}"
                raise OSError(text) from None

    def _make_edge_link(self) -> None:
        if self.paths.edge_socket is not None:
            self.turns.edge = EdgeLink(
                self.paths.edge_socket,
                received=self.turns.received_by_edge,
                closed=self.turns.flow_lost,
                failed=self.turns.flow_lost,
                edge_restarted=self._edge_restarted,
            )

    async def _connect_edge(self) -> None:
        if self.turns.edge is None:
            return
        self.exchange.on_alias = self.turns.edge.alias
        self._edge_task = self._loop.create_task(self.turns.edge.run(), name="edge link")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.turns.edge.wait_until_connected(), EDGE_WAIT_S)

    def _edge_restarted(self) -> None:
        """Every stream flow from before is gone; phones come back by registering again."""
        lost = {binding.flow for binding in self.exchange.bindings if binding.flow.is_reliable}
        for flow in lost:
            self.turns.flow_lost(flow)

    # Once a second

    def _on_beat(self) -> None:
        self._beat = self._loop.call_later(BEAT_S, self._on_beat)
        self._clock.offset_s = time.time() - time.monotonic()
        self.turns.take(self.exchange.on_second)
        self._look_up_names()
        fingerprint = conf_fingerprint(self.paths.conf)
        if fingerprint != self._fingerprint and not self._is_reloading:
            self._fingerprint = fingerprint
            self._loop.create_task(self.reload(), name="reload")

    def _look_up_names(self) -> None:
        """What is due; between two beats a name that a call asked for waits."""
        names = self.exchange.trunks.names.due(self.now())
        if names:
            self._resolver.look_up(names, self._network.reach)

    def _found(self, wanted: Wanted, located: Located) -> None:
        self.turns.take(lambda now: self.exchange.trunks.found(wanted, located, now))

    def _probe_lag(self, due: float) -> None:
        now = self.now()
        self.loop_lag.observe(max(0.0, now - due))
        self._probe = self._loop.call_later(LAG_PROBE_S, self._probe_lag, now + LAG_PROBE_S)

    # The journal

    def _on_durable(self, seq: int) -> None:
        self._desk.committed()
        if self._is_serving:
            self.turns.take(lambda now: self.exchange.board.on_durable(seq, now))
        self.books.durable(self.journal.last_batch)

    def _on_journal_failed(self, reason: str) -> None:
        self._desk.failed()
        log.error("journal_failed", reason=reason)

    def _on_journal_lost(self) -> None:
        log.error("journal_process_lost", pending=self.journal.pending_frames)

    # The books

    def _on_books(self, message: FromBooks) -> None:
        state = self.books_state
        match message:
            case SnapshotReady(path=path, is_old=is_old):
                if is_old:
                    log.warning("starting_from_checkpoint", reason=state.reason)
                if self._snapshot is not None and not self._snapshot.done():
                    self._snapshot.set_result(Path(path))
            case Changes():
                self._apply(message) if self._is_serving else self._early_changes.append(message)
            case Shipped(batch=batch, records=records, quarantined=quarantined):
                state.shipped_batch = batch
                state.records_shipped += records
                state.quarantined += quarantined
                if quarantined:
                    log.error("records_quarantined", count=quarantined, batch=batch)
            case Checkpointed(epoch=epoch, batch=batch):
                if epoch == self.journal.epoch:
                    self.journal.forget(max(0, batch - KEEP_SHIPPED_BATCHES))
            case ChangeDone():
                self.turns.take(lambda now: self.exchange.services.hear(message, now))
            case DatabaseUp():
                state.is_up = True
                state.reason = ""
                log.info("database_up")
            case DatabaseDown(reason=reason):
                self._on_database_down(reason)

    def _on_database_down(self, reason: str) -> None:
        self.books_state.is_up = False
        self.books_state.reason = reason
        log.warning("database_down", reason=reason)
        if reason == PROCESS_LOST and self._is_serving:
            self.turns.take(self.exchange.services.books_lost)

    def _apply(self, changes: Changes) -> None:
        self.turns.take(lambda now: self.exchange.apply_changes(changes.changes, now))
        self.exchange.books.change_seq = changes.seq

    def _resume(self) -> Resume | None:
        """Where we stand, for a books process that was started anew; None while we wait for the first snapshot."""
        if not self._is_serving:
            return None
        marks = [
            CreditMark(account_id, totals.credit_seq)
            for account_id in self.exchange.books.accounts
            if (totals := self.exchange.engine.totals(account_id)) is not None
        ]
        return Resume(self.exchange.books.change_seq, marks)

    # The operator

    async def reload(self) -> dict[str, object]:
        """Take over conf/ if it is valid as a whole; otherwise the old one stays and the problems are told."""
        if self._is_reloading:
            return {"loaded": False, "problems": ["a reload is under way"]}
        self._is_reloading = True
        try:
            self._fingerprint = conf_fingerprint(self.paths.conf)
            await pack_apart(self.paths.conf, self.paths.prices)
            conf = await asyncio.to_thread(load_conf, self.paths.conf, PriceFiles(self.paths.prices))
        except ConfProblems as problems:
            self.reload_failures += 1
            texts = [str(problem) for problem in problems.problems]
            log.error("conf_refused", problems=texts)
            return {"loaded": False, "problems": texts}
        finally:
            self._is_reloading = False
        needing_restart = settings_needing_restart(self.conf, conf)
        if conf.dns != self.conf.dns:
            self._resolver.use(conf.dns.servers)
        self.conf = conf
        self.turns.take(lambda now: self.exchange.take_over(conf, now))
        warnings = [str(warning) for warning in conf.warnings]
        log.info("conf_loaded", needs_restart=needing_restart, warnings=warnings)
        return {"loaded": True, "needs_restart": needing_restart, "warnings": warnings}

    async def ask_relay(self) -> None:
        """Until it has told the figures of every stream, or a moment longer."""
        relay = self.exchange.relay
        if relay is None:
            return
        wanted = relay.figures_heard + len(relay.endpoints)
        self.turns.take(lambda _now: relay.ask())
        deadline = self.now() + FIGURES_WAIT_S
        while relay.figures_heard < wanted and self.now() < deadline:
            await asyncio.sleep(FIGURES_POLL_S)

    # Stopping

    async def stop(self) -> None:
        """No new calls; end and settle the live ones; journal; books; in this order."""
        if self._is_serving:
            await self._drain()
        for handle in (self._beat, self._probe):
            if handle is not None:
                handle.cancel()
        self.turns.stop()
        await self._control.stop()
        if self._edge_task is not None:
            self._edge_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._edge_task
        if self.traces is not None:
            await self.traces.stop()
        if self._is_serving:
            await self._media.stop()
            await self._resolver.stop()
        self._is_serving = False
        for listener in self.turns.udp_listeners:
            listener.close()
        all_durable = await self.journal.stop()
        await self.books.stop(is_flushed=True)
        log.info("switch_stopped", all_durable=all_durable, unshipped_batches=self.unshipped_batches)

    async def _drain(self) -> None:
        self.turns.take(self.exchange.drain)
        deadline = self.now() + DRAIN_S
        while self._has_unfinished() and self.now() < deadline:
            await asyncio.sleep(BOOKS_WAIT_S)

    def _has_unfinished(self) -> bool:
        """BYEs and registrations that wait for their answers, and the figures of calls that have just ended."""
        exchange = self.exchange
        is_closing = exchange.relay is not None and exchange.relay.is_closing
        return bool(exchange.board.legs) or exchange.trunks.is_leaving or is_closing


def _credits_in(state: dict[str, bytes]) -> dict[int, list[tuple[int, int]]]:
    """Credits that were applied while the switch ran, as the journal remembers them: account -> (seq, micros)."""
    found: dict[int, list[tuple[int, int]]] = {}
    for key, value in state.items():
        if key.startswith(CREDIT_KEY):
            account_id, _, credit_seq = key[len(CREDIT_KEY) :].partition("/")
            found.setdefault(int(account_id), []).append((int(credit_seq), int(value)))
    return found
