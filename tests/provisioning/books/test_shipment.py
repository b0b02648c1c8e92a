"""Which record becomes which row, and what becomes of bytes that are no record."""

import msgspec

from provisioning.books.outbox import OutboxBatch
from provisioning.books.shipment import (
    CDRS,
    CONF_LOADS,
    CONF_VERSIONS,
    EMERGENCY_CALLS,
    LEDGER,
    pack_shipment,
)
from provisioning.utc import time_from_ms
from rating.journal.frames import pack_records
from tests.provisioning.records import AT_MS, cdr, conf, emergency, usage


def batch(number: int, *raws: bytes, is_sound: bool = True) -> OutboxBatch:
    return OutboxBatch(number, pack_records(list(raws)), is_sound)


def encoded(*records: object) -> list[bytes]:
    return [msgspec.msgpack.encode(record) for record in records]


def test_each_kind_of_record_goes_to_its_table() -> None:
    shipment = pack_shipment(
        [batch(4, *encoded(cdr("c1"), usage("c1"))), batch(5, *encoded(emergency("c2"), conf("v1", "text")))]
    )
    assert (shipment.last_batch, shipment.records, shipment.set_aside) == (5, 4, [])
    assert sorted(shipment.items) == ["cdrs", "conf_loads", "conf_versions", "emergency_calls", "ledger"]
    at = time_from_ms(AT_MS)
    assert shipment.items[LEDGER.name][0].row == ("c1", 0, 1, "usage", -12_400, time_from_ms(AT_MS + 64_201))
    assert shipment.items[EMERGENCY_CALLS.name][0].row[4] == at
    assert shipment.items[CONF_VERSIONS.name][0].row == ("tariff", "retail", "v1", "text")
    assert shipment.items[CONF_LOADS.name][0].row == ("tariff", "retail", at, "v1")
    assert shipment.items[CDRS.name][0].batch == 4


def test_a_record_of_a_newer_release_with_one_more_field_is_read() -> None:
    longer = msgspec.msgpack.encode([*msgspec.msgpack.decode(encoded(usage("c1"))[0]), "something new"])
    assert len(pack_shipment([batch(1, longer)]).items[LEDGER.name]) == 1


def test_bytes_that_are_no_record_are_set_aside_whole_beside_the_good_ones() -> None:
    good = encoded(usage("c1"))[0]
    not_utf8 = encoded(cdr("c2"))[0].replace(b"London", b"Lond\xffn")
    strangers = [*encoded(["unknown", 1], {"a": 1}, "text", cdr("c3", ended_at_ms=10**18)), not_utf8]
    shipment = pack_shipment([batch(1, *strangers, good)])
    assert [aside.raw for aside in shipment.set_aside] == strangers
    assert all(aside.reason for aside in shipment.set_aside)
    assert len(shipment.items[LEDGER.name]) == 1
    assert shipment.records == 6


def test_a_damaged_batch_is_set_aside_whole_and_the_next_one_is_read() -> None:
    good = encoded(usage("c1"))[0]
    shipment = pack_shipment([batch(1, good, is_sound=False), OutboxBatch(2, b"\xc1", True), batch(3, good)])
    assert [(aside.batch, aside.raw) for aside in shipment.set_aside] == [
        (1, pack_records([good])),
        (2, b"\xc1"),
    ]
    assert (shipment.last_batch, len(shipment.items[LEDGER.name])) == (3, 1)
