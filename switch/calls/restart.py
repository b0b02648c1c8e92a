"""The first turn of a new process: what the journal still had open is ended and hung up, before the first INVITE.

Also the key by which a process recognises Call-IDs that an earlier one made: without it a phone that answers while
the exchange is down would talk to nobody.
"""

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Final

from rating.bundle_terms import Used
from rating.records import BundleUse, UsageEntry
from switch.calls.bye import Bye
from switch.calls.carrier_challenge import CarrierChallenge
from switch.calls.open_call import HANGUP_KEY
from switch.calls.orphan_invite import OrphanInvite
from switch.calls.q850 import format_reason
from switch.calls.recovery import recover
from switch.calls.switchboard import Put, Switchboard
from switch.sip.dialog import Dialog

SIGNING_KEY: Final = "signing-key"
SIGNATURE_BYTES: Final = 6  # 48 bits: enough that a stranger's 200 is not taken for an answer to us

# The journal keeps a dialog as it was at the answer; re-INVITEs, UPDATEs and refreshes have counted on since. A gap
# is no harm (RFC 3261 12.2.2), while a number used before would be taken for an old request, and the call would run
# on.
CSEQ_LEAP: Final = 10_000


def signing_key(
    state: Mapping[str, bytes], random_bytes: Callable[[int], bytes]
) -> tuple[Callable[[str], str], list[Put]]:
    """The signature of Call-IDs, and what the journal must keep if the key is new."""
    key = state.get(SIGNING_KEY)
    puts: list[Put] = []
    if key is None:
        key = random_bytes(32)
        puts = [(SIGNING_KEY, key)]

    def sign(token: str) -> str:
        data = token.encode("utf-8", "surrogateescape")
        return blake2b(data, key=key, digest_size=SIGNATURE_BYTES).hexdigest()

    return sign, puts


def hang_up_recovered(board: Switchboard, state: Mapping[str, bytes], now: float) -> None:
    """Settle and record what was open, send BYE to both sides of what was up, and silence what rang."""

    def debit(account_id: int, amount_micros: int) -> int | None:
        totals = board.engine.totals(account_id)
        if totals is None:
            return None
        board.engine.debit_usage(account_id, amount_micros)
        return totals.balance_micros - amount_micros

    for ended in recover(state, debit):
        board.counts.recovered_calls += 1
        for record in ended.outbox:
            if isinstance(record, UsageEntry):
                board.engine.load_spend(record.account_id, record.at_ms, -record.amount_micros)
            elif isinstance(record, BundleUse):
                used = Used(record.bundle_id, record.seconds, record.carried_s, record.number)
                board.engine.bundles.use(used)
        if ended.puts:
            board.record(ended.puts, ended.outbox)
        dialogs = [Dialog.from_state(dialog) for dialog in ended.dialogs]
        pending = _Pending(board, ended.call_id, len(dialogs) + len(ended.invites))
        for invite in ended.invites:
            OrphanInvite(board, invite, pending.one_done).send(now)
        for dialog in dialogs:
            flow = dialog.flow
            trunk = board.trunks.trunk_at(flow.remote_host, flow.remote_port)
            if trunk is None and (first := dialog.fallback_flow) is not None:
                trunk = board.trunks.trunk_at(first.remote_host, first.remote_port)
            dialog.local_cseq += CSEQ_LEAP
            bye = Bye(board.stack, dialog, CarrierChallenge(trunk, board.tokens), pending.one_done)
            bye.send(now, format_reason(41, "the exchange restarted"))


class _Pending:
    """What is sent for one call; when the last of it is done the journal may forget the call."""

    __slots__ = ("_board", "_call_id", "_left")

    def __init__(self, board: Switchboard, call_id: str, count: int) -> None:
        self._board = board
        self._call_id = call_id
        self._left = count

    def one_done(self, now: float) -> None:
        self._left -= 1
        if self._left == 0:
            self._board.record([(HANGUP_KEY + self._call_id, None)])
