"""Calls of a small exchange on a Sunday morning: what the pages show in tests and in screenshots."""

import datetime
from pathlib import Path

import asyncpg
import msgspec

from media.course import pack_course
from provisioning import service
from provisioning.cdr_row import CDR_COLUMNS, row_from_cdr
from provisioning.media_row import MEDIA_COLUMNS, row_from_media
from provisioning.model import AccountKind
from provisioning.registration_row import REGISTRATION_COLUMNS, row_from_registration
from rating.money import VatMode
from rating.records import Cdr, MediaFigures, RegistrationEvent
from tests.care.stories import (
    ALICE,
    CARRIER,
    INVITE,
    caller_leg,
    carrier_leg,
    carrier_message,
    message,
    messages_of_a_good_call,
    said,
    sdp,
)
from tests.provisioning.records import AT_MS
from traces.call_trace import CallTrace, TraceFlow, TraceMessage
from traces.store import TraceStore

# Sunday 22 November 2026, 10:15 in London.
SUNDAY_MS = round(datetime.datetime(2026, 11, 22, 10, 15, tzinfo=datetime.UTC).timestamp() * 1000)
NOW = datetime.datetime(2026, 11, 22, 10, 40, tzinfo=datetime.UTC)
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
GOOD, FAILED, DEAF = "call-good", "call-failed", "call-one-way"


class Town:
    """An account with a line, its calls, its registrations; traces in `folder`."""

    def __init__(self, db: asyncpg.Pool, folder: Path) -> None:
        self.db = db
        self.folder = folder
        self.account_id = 0

    async def build(self) -> None:
        view = await service.add_account(
            self.db, "Sample Bakery Ltd", kind=AccountKind.PREPAID, vat=VatMode.INC_VAT, tariff="retail"
        )
        self.account_id = view.account.id
        await service.add_line(self.db, "alice", account_name="Sample Bakery Ltd", realm="example.com")
        await service.assign_number(self.db, "01632 960001", "alice")
        await self._good()
        await self._failed()
        await self._deaf()
        await self._registrations()

    async def add_call(self, call_id: str, *legs: Cdr, after_ms: int = 0) -> list[Cdr]:
        moved = [at_sunday(leg, call_id, self.account_id, after_ms) for leg in legs]
        for leg in moved:
            await insert(self.db, "cdrs", CDR_COLUMNS, row_from_cdr(leg))
        return moved

    async def add_fault(self, reference: str, words: str) -> None:
        """Waiting for the answer to a check, with a call."""
        fault_id = await self.db.fetchval(
            "INSERT INTO faults (reference, opened_at, opened_by, account_id, reporter, contact, line, time_code,"
            " cli, ddi, kind, words, priority, state, place)"
            " VALUES ($1, $2, 'anna', $3, 'The Manager', '01632 960001', 'alice', '10:27', '01632 960001',"
            " '020 7946 0123', 'one-way', $4, 'needs', 'open', '') RETURNING id",
            reference,
            NOW - datetime.timedelta(minutes=6),
            self.account_id,
            words,
        )
        for minutes, event, value, text in (
            (1, "call", DEAF, "Nothing was heard from the caller, whose router rewrites his address."),
            (2, "note", "", words),
            (3, "check", "", "Switch the router's SIP ALG off, restart the phone, and call again."),
        ):
            await self.db.execute(
                "INSERT INTO fault_events (fault_id, at, staff, event, value, words)"
                " VALUES ($1, $2, 'anna', $3, $4, $5)",
                fault_id,
                NOW + datetime.timedelta(minutes=minutes - 5),
                event,
                value,
                text,
            )

    async def add_complaint(self, reference: str, words: str) -> None:
        """In deadlock, without its letter, about the fault that was added."""
        complaint_id = await self.db.fetchval(
            "INSERT INTO complaints (reference, opened_at, opened_by, received_at, account_id, fault_id, reporter,"
            " contact, channel, words, state, outcome_at, deadlock_at)"
            " VALUES ($1, $2, 'anna', $2, $3, (SELECT min(id) FROM faults), $4, $4, 'in-person', $5, 'deadlock',"
            " $2, $2) RETURNING id",
            reference,
            NOW - datetime.timedelta(days=50),
            self.account_id,
            words[:200],
            words,
        )
        await self.db.execute(
            "INSERT INTO complaint_events (complaint_id, at, staff, event, value, words)"
            " VALUES ($1, $2, $3, 'outcome', '', $3)",
            complaint_id,
            NOW,
            words,
        )

    async def add_sound(self, *figures: MediaFigures) -> None:
        for one in figures:
            await insert(self.db, "call_media", MEDIA_COLUMNS, row_from_media(one))

    async def add_registrations(self, *events: RegistrationEvent) -> None:
        for one in events:
            await insert(self.db, "registration_events", REGISTRATION_COLUMNS, row_from_registration(one))

    def add_trace(
        self,
        call_id: str,
        messages: list[TraceMessage],
        *flows: TraceFlow,
        after_ms: int = 0,
        why: str = "all",
    ) -> None:
        shift_us = (SUNDAY_MS - AT_MS + after_ms) * 1000
        moved = [msgspec.structs.replace(each, at_us=each.at_us + shift_us) for each in messages]
        store = TraceStore(self.folder)
        store.add(
            [CallTrace(call_id, moved[0].at_us, moved[-1].at_us, why, list(flows) or [ALICE, CARRIER], moved)]
        )
        store.close()

    async def _good(self) -> None:
        await self.add_call(
            GOOD,
            caller_leg(decisions="emergency no; barred no; route uk; trunk alpha first", billed_s=62),
            carrier_leg(destination="+442079460123", buy_micros=4_100, deck="alpha"),
        )
        self.add_trace(GOOD, messages_of_a_good_call())
        end_ms = SUNDAY_MS + 64_201
        await self.add_sound(
            sound(
                GOOD,
                0,
                end_ms,
                packets=3_060,
                lost=41,
                jitter_us=7_800,
                mos=401,
                course=course_of(lossy=True),
            ),
            sound(
                GOOD,
                1,
                end_ms,
                packets=3_095,
                lost=0,
                jitter_us=1_100,
                mos=441,
                course=course_of(lossy=False),
            ),
        )

    async def _failed(self) -> None:
        after_ms = 6 * 60_000
        failed = {
            "answered_at_ms": None, "ringing_at_ms": None, "ended_at_ms": AT_MS + 6_240, "duration_ms": 0,
            "billed_s": 0, "sip_status": 503, "q850_cause": 34,
            "outcome": "carrier_failed", "cost_micros": 0, "usage_micros": 0,
            "post_dial_delay_ms": None, "destination": "+442079460177",
        }  # fmt: skip
        await self.add_call(
            FAILED,
            caller_leg(**failed, reason="no carrier took the call", ended_by="exchange"),
            carrier_leg(**failed, reason="Service Unavailable", ended_by="callee"),
            after_ms=after_ms,
        )
        messages = [
            said(0, is_sent=False, leg=0, data=message(INVITE, body=sdp())),
            said(0.4, is_sent=True, leg=0, data=message("SIP/2.0 100 Trying")),
            *[said(2 + at, is_sent=True, leg=1, data=carrier_message(INVITE, body=sdp("198.51.100.1", 30000)))
              for at in (0, 500, 1500, 3500)],
            said(6_200, is_sent=False, leg=1, data=carrier_message("SIP/2.0 503 Service Unavailable", to_tag="c")),
            said(6_200.4, is_sent=True, leg=1, data=carrier_message("ACK sip:c SIP/2.0", cseq="1 ACK", to_tag="c")),
            said(6_203, is_sent=True, leg=0,
                 data=message("SIP/2.0 503 Service Unavailable", "Retry-After: 5", to_tag="t")),
            said(6_230, is_sent=False, leg=0, data=message("ACK sip:x SIP/2.0", cseq="1 ACK", to_tag="t")),
        ]  # fmt: skip
        self.add_trace(FAILED, messages, after_ms=after_ms, why="failed")

    async def _deaf(self) -> None:
        after_ms = 12 * 60_000
        end_ms = SUNDAY_MS + after_ms + 64_201
        await self.add_call(DEAF, caller_leg(), carrier_leg(destination="+442079460123"), after_ms=after_ms)
        self.add_trace(DEAF, messages_of_a_good_call(), after_ms=after_ms, why="bad sound")
        await self.add_sound(
            sound(DEAF, 0, end_ms, packets=0, lost=0, jitter_us=0, mos=0, course=b""),
            sound(
                DEAF,
                1,
                end_ms,
                packets=3_095,
                lost=0,
                jitter_us=1_100,
                mos=441,
                course=course_of(lossy=False),
            ),
        )

    async def _registrations(self) -> None:
        first = SUNDAY_MS - 5 * DAY_MS
        await self.add_registrations(
            registration(first, "registered"),
            registration(first + 30 * HOUR_MS, "expired"),
            registration(first + 33 * HOUR_MS, "registered"),
            *[
                registration(first + 80 * HOUR_MS + at * 60_000, "refused", reason="wrong password", count=3)
                for at in range(0, 90, 15)
            ],
            registration(first + 79 * HOUR_MS, "lost"),
            registration(first + 82 * HOUR_MS, "registered"),
        )


async def insert(db: asyncpg.Pool, table: str, names: list[str], row: tuple[object, ...]) -> None:
    places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
    await db.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", *row)


def at_sunday(leg: Cdr, call_id: str, account_id: int, after_ms: int) -> Cdr:
    shift_ms = SUNDAY_MS - AT_MS + after_ms
    times = {
        name: value + shift_ms
        for name in ("setup_at_ms", "ringing_at_ms", "answered_at_ms", "ended_at_ms")
        if (value := getattr(leg, name)) is not None
    }
    accounts = {
        name: account_id
        for name in ("account_id", "payer_account_id")
        if getattr(leg, name) is not None and leg.leg == 0
    }
    return msgspec.structs.replace(leg, call_id=call_id, **times, **accounts)


def sound(call_id: str, leg: int, end_ms: int, **facts: object) -> MediaFigures:
    figures = MediaFigures(
        call_id=call_id, leg=leg, medium=0, ended_at_ms=end_ms, codec="PCMA", packets=0, octets=0, lost=0, reordered=0,
        duplicates=0, jitter_us=0, jitter_max_us=31_000, gap_us=240_000, round_trip_us=18_000, mos=0,
        packets_sent=3_080, octets_sent=492_800,
        remote_address="192.0.2.10:4000" if leg == 0 else "203.0.113.6:20000", dropped="",
    )  # fmt: skip
    return msgspec.structs.replace(figures, octets=int(facts.get("packets", 0)) * 160, **facts)  # type: ignore[call-overload]


def course_of(*, lossy: bool) -> bytes:
    slices = []
    for at in range(32):
        lost = (0, 0, 3, 9, 14, 2)[at % 6] if lossy and 9 < at < 21 else 0
        slices.append((200, 100 - lost, lost, 900 + (at * 577 % 5000) + (26_000 if lost > 4 else 0), False))
    return pack_course(slices, length_ms=64_201, first_ms=20, last_ms=64_180, gap_ms=240, gap_at_ms=33_000)


_event_ids = iter(range(1, 1_000_000))


def registration(at_ms: int, event: str, **facts: object) -> RegistrationEvent:
    found = RegistrationEvent(
        id=f"event-{next(_event_ids)}", at_ms=at_ms, event=event, line="alice", account_id=None, reason="",
        source="192.0.2.10:5062", transport="UDP", contact="sip:alice@10.0.0.5:5062", via="10.0.0.5:5062",
        user_agent="Desk Phone 7/1.2.3", expires_s=300,
    )  # fmt: skip
    return msgspec.structs.replace(found, **facts)
