"""Records of calls as a switch would write them, with everything that does not matter filled in."""

from pathlib import Path

import msgspec

from rating.journal.group_commit import Batch
from rating.journal.store import Store
from rating.records import Cdr, ConfVersion, EmergencyCall, OutboxRecord, UsageEntry

AT_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z


def cdr(call_id: str, leg: int = 0, **facts: object) -> Cdr:
    record = Cdr(
        call_id=call_id,
        leg=leg,
        leg_reason="dialled",
        setup_at_ms=AT_MS,
        ringing_at_ms=AT_MS + 850,
        answered_at_ms=AT_MS + 3_200,
        ended_at_ms=AT_MS + 64_201,
        network_number="+441632960001",
        presentation_number="+441632960001",
        privacy="",
        dialled="02079460123",
        destination="+442079460123",
        destination_name="London",
        ddi="",
        account_id=1,
        line="alice",
        trunk="",
        payer_account_id=1,
        duration_ms=61_001,
        billed_s=62,
        connect_fee_micros=0,
        usage_micros=12_400,
        cost_micros=12_400,
        rate_prefix="+4420",
        per_minute_micros=12_000,
        tariff="retail",
        tariff_version="0011223344556677",
        balance_after_micros=9_987_600,
        sip_status=200,
        q850_cause=16,
        outcome="answered",
        reason="the caller hung up",
        ended_by="caller",
        source_address="UDP:192.0.2.1:5060",
        destination_address="UDP:192.0.2.2:5060",
        sip_call_id="a84b4c76e66710",
        other_sip_call_id="f81d4fae7dec11d0",
        user_agent="Phone 1.0",
        other_user_agent="Trunk 2.0",
        post_dial_delay_ms=870,
        is_emergency=False,
        is_recovered=False,
        routing_version="8899aabbccddeeff",
    )
    return msgspec.structs.replace(record, **facts)


def usage(call_id: str, leg: int = 0, *, account_id: int = 1, amount_micros: int = -12_400) -> UsageEntry:
    return UsageEntry(account_id, call_id, leg, amount_micros, AT_MS + 64_201)


def emergency(call_id: str) -> EmergencyCall:
    return EmergencyCall(call_id, "alice", "+441632960001", "999", AT_MS, "UDP:192.0.2.1:5060")


def conf(version: str, content: str, *, valid_from_ms: int = AT_MS) -> ConfVersion:
    return ConfVersion("tariff", "retail", version, valid_from_ms, content)


class Journal:
    """A journal file written by the journal's own code, one batch a call."""

    def __init__(self, path: Path) -> None:
        self.store = Store.open(path)
        self.path = path

    def append(self, *records: OutboxRecord) -> int:
        return self.append_raw(*[msgspec.msgpack.encode(record) for record in records])

    def append_raw(self, *raws: bytes) -> int:
        """The number of the batch."""
        self.store.commit(Batch(1, self.store.last_seq + 1, {}, list(raws)), at_ms=AT_MS)
        return self.store.last_batch

    def close(self) -> None:
        self.store.close()
