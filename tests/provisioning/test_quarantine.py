"""What the books could not take, as an operator meets it."""

from datetime import UTC, datetime

import asyncpg
import msgspec
import pytest

from provisioning import service
from provisioning.problems import InvalidValue, Refused
from provisioning.quarantine import record_from_row
from provisioning.views import QuarantinedRecord
from rating.records import OutboxRecord
from tests.provisioning.databases import in_database
from tests.provisioning.records import cdr, conf, emergency, usage

AT = datetime(2026, 1, 1, tzinfo=UTC)
INSERT = "INSERT INTO quarantine (epoch, batch, reason, raw) VALUES ('e1', $1, 'too large', $2)"


def read(raw: bytes) -> QuarantinedRecord:
    return record_from_row({"id": 1, "at": AT, "epoch": "e1", "batch": 7, "reason": "too large", "raw": raw})


@pytest.mark.parametrize(
    ("kind", "record", "key"),
    [
        ("cdr", cdr("c1", sip_status=70_000), ("sip_status", 70_000)),
        ("cdr", cdr("c1", duration_ms=1 << 63), ("duration_ms", 1 << 63)),
        ("usage", usage("c1", account_id=999), ("account_id", 999)),
        ("emergency", emergency("c1"), ("dialled", "999")),
        ("conf", conf("v1", "prefix,..."), ("content", "prefix,...")),
    ],
)
def test_a_record_is_shown_by_its_fields(kind: str, record: OutboxRecord, key: tuple[str, object]) -> None:
    shown = read(msgspec.msgpack.encode(record))
    assert shown.kind == kind
    assert key in shown.fields.items()
    assert list(shown.fields) == list(record.__struct_fields__)
    assert msgspec.json.decode(msgspec.json.encode(shown))["fields"][key[0]] == key[1]


@pytest.mark.parametrize(
    "raw", [b"", b"\xc1", b"\xff\xfe", b"\xa2\xff\xff", msgspec.msgpack.encode(["cdr", 1, 2])]
)
def test_bytes_that_are_no_record_are_shown_as_they_are(raw: bytes) -> None:
    shown = read(raw)
    assert (shown.kind, shown.fields, shown.raw_hex) == ("", {}, raw.hex())
    assert (shown.id, shown.at_ms, shown.batch, shown.reason) == (1, 1_767_225_600_000, 7, "too large")


@pytest.mark.wire
@in_database
async def test_the_quarantine_is_counted_listed_shown_and_emptied(db: asyncpg.Pool) -> None:
    assert (await service.count_quarantined(db), await service.list_quarantined(db, 50)) == (0, [])
    for batch in (1, 2, 3):
        await db.execute(INSERT, batch, msgspec.msgpack.encode(cdr(f"c{batch}")))
    assert await service.count_quarantined(db) == 3
    first, second = await service.list_quarantined(db, 2)
    assert [first.fields["call_id"], second.fields["call_id"]] == ["c3", "c2"]
    assert await service.show_quarantined(db, second.id) == second
    assert await service.remove_quarantined(db, second.id) == second
    for looked_for in (service.show_quarantined, service.remove_quarantined):
        with pytest.raises(Refused, match=f"no record {second.id}"):
            await looked_for(db, second.id)
    assert await service.count_quarantined(db) == 2


@pytest.mark.wire
@in_database
async def test_a_list_without_bounds_is_refused(db: asyncpg.Pool) -> None:
    for limit in (0, -1, 10_001):
        with pytest.raises(InvalidValue):
            await service.list_quarantined(db, limit)
