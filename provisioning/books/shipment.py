"""A chunk of the journal's outbox as rows for PostgreSQL: which record goes to which table, and how it looks.

Pure. A record that cannot be read keeps its bytes and is set aside; so is a whole batch whose bytes are
damaged.
"""

from collections.abc import Sequence
from typing import Final, assert_never

import msgspec

from provisioning.books.outbox import OutboxBatch
from provisioning.cdr_row import CDR_COLUMNS, Row, row_from_cdr
from provisioning.media_row import MEDIA_COLUMNS, row_from_media
from provisioning.registration_row import REGISTRATION_COLUMNS, row_from_registration
from provisioning.traced_calls import TRACED_COLUMNS, row_from_traced
from provisioning.utc import time_from_ms
from rating.journal.frames import unpack_records
from rating.records import (
    Alarm,
    BundleUse,
    Cdr,
    ConfVersion,
    EmergencyCall,
    MediaFigures,
    OutboxRecord,
    RegistrationEvent,
    TracedCall,
    UsageEntry,
)

_decoder: Final = msgspec.msgpack.Decoder(OutboxRecord)


class Table(msgspec.Struct, frozen=True):
    """Where rows go: the columns in the rows' order, and the positions of those that make the key.

    `is_ours` restricts the look-up of keys, where the table also holds rows that did not come from a journal.
    """

    name: str
    columns: list[str]
    key: tuple[int, ...]
    is_ours: str = "true"


CDRS: Final = Table("cdrs", CDR_COLUMNS, (0, 1))
LEDGER: Final = Table(
    "ledger", ["call_id", "leg", "account_id", "kind", "amount_micros", "at"], (0, 1), "kind = 'usage'"
)
EMERGENCY_CALLS: Final = Table(
    "emergency_calls", ["call_id", "line", "network_number", "dialled", "at", "source_address"], (0,)
)
MEDIA: Final = Table("call_media", MEDIA_COLUMNS, (0, 1, 2))
TRACED_CALLS: Final = Table("traced_calls", TRACED_COLUMNS, (0, 1))
CONF_VERSIONS: Final = Table("conf_versions", ["kind", "name", "version", "content"], (0, 1, 2))
CONF_LOADS: Final = Table("conf_loads", ["kind", "name", "valid_from", "version"], (0, 1, 2))

ALARMS: Final = Table("alarms", ["id", "account_id", "rule", "at", "words", "bar_until"], (0,))

BUNDLE_USES: Final = Table(
    "bundle_uses",
    ["bundle_id", "account_id", "call_id", "leg", "seconds", "carried_s", "number", "at"],
    (0, 2, 3),
)
REGISTRATION_EVENTS: Final = Table("registration_events", REGISTRATION_COLUMNS, (0,))

# Versions repeat at every start and are few: they are always compared first. conf_loads refers to
# conf_versions.
COMPARED_FIRST: Final = (CONF_VERSIONS, CONF_LOADS)
# The ledger comes last, because its rows lock balances until the commit.
COPIED: Final = (CDRS, MEDIA, EMERGENCY_CALLS, TRACED_CALLS, ALARMS, BUNDLE_USES, REGISTRATION_EVENTS, LEDGER)


class Item(msgspec.Struct, frozen=True, gc=False):
    """A row and where it came from."""

    row: Row
    batch: int
    raw: msgspec.Raw


class SetAside(msgspec.Struct, frozen=True):
    """Bytes that no table can take, and why."""

    batch: int
    reason: str
    raw: bytes


class Shipment(msgspec.Struct):
    """What one transaction takes to PostgreSQL: everything up to `last_batch`."""

    last_batch: int
    records: int
    items: dict[str, list[Item]]
    set_aside: list[SetAside]


def pack_shipment(batches: Sequence[OutboxBatch]) -> Shipment:
    """The rows of these batches by table name. There is at least one batch."""
    shipment = Shipment(batches[-1].batch, 0, {}, [])
    for batch in batches:
        if batch.is_sound:
            _add_batch(shipment, batch)
        else:
            _set_aside(shipment, batch.batch, "the batch's checksum does not match its bytes", batch.packed)
    return shipment


def _add_batch(shipment: Shipment, batch: OutboxBatch) -> None:
    try:
        raws = unpack_records(batch.packed)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _set_aside(shipment, batch.batch, f"the batch is not a list of records: {error}", batch.packed)
        return
    for raw in raws:
        try:
            _add_record(shipment, _decoder.decode(raw), batch.batch, raw)
        # Text that is not UTF-8 comes as UnicodeDecodeError, a time beyond year 9999 as OverflowError.
        except (msgspec.DecodeError, UnicodeDecodeError, OverflowError) as error:
            _set_aside(shipment, batch.batch, f"not a record of this release: {error}", bytes(raw))
        else:
            shipment.records += 1


def _add_record(shipment: Shipment, record: OutboxRecord, batch: int, raw: msgspec.Raw) -> None:
    match record:
        case Cdr():
            _add(shipment, CDRS, row_from_cdr(record), batch, raw)
        case MediaFigures():
            _add(shipment, MEDIA, row_from_media(record), batch, raw)
        case UsageEntry(call_id=call_id, leg=leg, account_id=account_id, amount_micros=amount, at_ms=at_ms):
            _add(
                shipment, LEDGER, (call_id, leg, account_id, "usage", amount, time_from_ms(at_ms)), batch, raw
            )
        case EmergencyCall(call_id=call_id, line=line, network_number=number, dialled=dialled):
            row = (call_id, line, number, dialled, time_from_ms(record.at_ms), record.source_address)
            _add(shipment, EMERGENCY_CALLS, row, batch, raw)
        case Alarm(id=id_, account_id=account_id, rule=rule, words=words, bar_until_ms=until):
            bar_until = None if until is None else time_from_ms(until)
            _add(shipment, ALARMS, (id_, account_id, rule, time_from_ms(record.at_ms), words, bar_until), batch, raw)
        case BundleUse(bundle_id=bundle_id, account_id=account_id, call_id=call_id, leg=leg):
            uses = record.seconds, record.carried_s, record.number, time_from_ms(record.at_ms)
            _add(shipment, BUNDLE_USES, (bundle_id, account_id, call_id, leg, *uses), batch, raw)
        case RegistrationEvent():
            _add(shipment, REGISTRATION_EVENTS, row_from_registration(record), batch, raw)
        case TracedCall():
            _add(shipment, TRACED_CALLS, row_from_traced(record), batch, raw)
        case ConfVersion(kind=kind, name=name, version=version, content=content):
            valid_from = time_from_ms(record.valid_from_ms)
            _add(shipment, CONF_VERSIONS, (kind, name, version, content), batch, raw)
            _add(shipment, CONF_LOADS, (kind, name, valid_from, version), batch, raw)
        case _:
            assert_never(record)


def _add(shipment: Shipment, table: Table, row: Row, batch: int, raw: msgspec.Raw) -> None:
    shipment.items.setdefault(table.name, []).append(Item(row, batch, raw))


def _set_aside(shipment: Shipment, batch: int, reason: str, raw: bytes) -> None:
    shipment.records += 1
    shipment.set_aside.append(SetAside(batch, reason, raw))
