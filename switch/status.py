"""What `offhook status` shows of a running switch."""

from typing import TYPE_CHECKING

from switch.cli_metrics import cli_status
from switch.edge_view import edge_status
from switch.relay.browser_view import browsers_state
from switch.relay.view import relay_state
from switch.service_metrics import service_status
from switch.sip.host import host_port
from switch.trace_view import trace_status
from switch.trunks.view import trunk_views
from switch.voicemail_metrics import voicemail_status
from switch.watch_metrics import cause_status

if TYPE_CHECKING:
    from switch.process import SwitchProcess


def status_of(process: "SwitchProcess") -> dict[str, object]:
    """Numbers and words by name; nothing from the wire."""
    exchange = process.exchange
    board = exchange.board
    return {
        "ready": process.not_ready_reason() or "yes",
        "udp": [host_port(listener.host, listener.port) for listener in process.turns.udp_listeners],
        "domain": board.domain,
        "lines": len(exchange.books.lines),
        "accounts": len(exchange.books.accounts),
        "registrations": exchange.bindings.count,
        "registrations_lost_at_once": exchange.registration_events.lost_at_once,
        "lines_offline": len(exchange.registration_events.presence.offline),
        "subscriptions": len(exchange.events.notifier.subscriptions),
        "live_calls": len(board.calls),
        "reservations": exchange.engine.reservations_count,
        "transactions": exchange.stack.transactions_count,
        "journal": "failing" if process.is_journal_failing else "ok",
        "journal_epoch": process.journal.epoch,
        "unshipped_batches": process.unshipped_batches,
        "database": "up" if process.books_state.is_up else f"down: {process.books_state.reason}",
        "edge": process.edge_state,
        **edge_status(process.edge_counts),
        "relay": relay_state(exchange.relay),
        "browsers": browsers_state(exchange.relay),
        **voicemail_status(exchange),
        **cli_status(board),
        **service_status(exchange),
        "trunks": trunk_views(exchange.trunks, board.of_trunk, board.clock),
        "traces": trace_status(process),
        "trunk_causes_per_minute": cause_status(exchange.trunks.endings),
        "recovered_calls": exchange.counts.recovered_calls,
        "bugs": exchange.counts.bugs,
        "records_quarantined": process.books_state.quarantined,
        "logins": dict(exchange.counts.logins),
        "bans": exchange.door.bans.count,
        "quirks": {name: count for name, count in exchange.sip_counts.quirks.items() if count},
    }
