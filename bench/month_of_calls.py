"""A month's calls of many accounts, rated live by one engine: what the journal would carry of them.

Calls overlap as they do in life, the same each time it runs. Numbers are drama numbers of every kind, and a few abroad.
"""

import datetime
import heapq
import random
from collections.abc import Iterator
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from rating.engine import Engine, Reservation
from rating.records import Cdr, OutboxRecord, UsageEntry
from rating.tariff import Rate, Tariff
from switch.calls.bundle_uses import bundle_uses, set_bundles
from switch.calls.cdr import set_charge

LONDON: Final = ZoneInfo("Europe/London")
SEED: Final = 20_261_001
RESERVE_AHEAD_S: Final = 60
TALK_MEAN_S: Final = 170
# By the hour: few at night, most in office hours.
HOURS: Final = [1] * 7 + [8] * 12 + [3] * 5
# How often, and what: one number of its kind.
DIALLED: Final = (
    (40, "+441632960{:03d}"),
    (15, "+442079460{:03d}"),
    (25, "+447700900{:03d}"),
    (5, "+443069990{:03d}"),
    (5, "+448081570{:03d}"),
    (2, "+449098790{:03d}"),
    (4, "+331000000{:03d}"),
    (4, "+121255501{:02d}"),
)
# Of these some ring and nobody takes them.
UNANSWERED: Final = 0.2


class Payer(msgspec.Struct, frozen=True):
    """An account of the month, and the tariff that it pays by."""

    account_id: int
    tariff: Tariff


class Call(msgspec.Struct):
    """One that is up. `is_paid`: it has a reservation."""

    key: str
    payer: Payer
    dialled: str
    rate: Rate
    began_ms: int
    talk_ms: int
    is_paid: bool


class MonthOfCalls:
    """`records()` is to be gone through once; the counts are of what it has made."""

    def __init__(self, engine: Engine, payers: list[Payer], *, first: datetime.date, calls: int) -> None:
        self.engine = engine
        self.refused = 0
        self.cut = 0
        self.up_at_once = 0
        self._payers = payers
        self._random = random.Random(SEED)
        self._first = first
        self._days = (first.replace(day=28) + datetime.timedelta(days=4)).replace(day=1) - first
        self._weights = [weight for weight, _ in DIALLED]
        self._beginnings = sorted(self._moment() for _ in range(calls))

    def records(self) -> Iterator[list[OutboxRecord]]:
        """What each call appends to the outbox, in the order in which calls end."""
        up: list[tuple[int, int, Call]] = []
        for number, at_ms in enumerate(self._beginnings):
            while up and up[0][0] <= at_ms:
                yield self._end(heapq.heappop(up)[2])
            self.engine.period.take(at_ms)
            call = self._begin(f"month-{number:07d}", at_ms)
            if isinstance(call, Call):
                heapq.heappush(up, (at_ms + call.talk_ms, number, call))
                self.up_at_once = max(self.up_at_once, len(up))
            else:
                yield [call]
        while up:
            yield self._end(heapq.heappop(up)[2])

    def _moment(self) -> int:
        day = self._first + datetime.timedelta(days=self._random.randrange(self._days.days))
        hour = self._random.choices(range(24), HOURS)[0]
        start = datetime.datetime.combine(day, datetime.time(hour), LONDON)
        return int(start.timestamp() * 1000) + self._random.randrange(3_600_000)

    def _begin(self, key: str, at_ms: int) -> Call | Cdr:
        """The call that is up, or the record of one that was refused or not answered."""
        payer = self._random.choice(self._payers)
        shape = self._random.choices(DIALLED, self._weights)[0][1]
        dialled = shape.format(self._random.randrange(1000 if "03d" in shape else 100))
        rate = payer.tariff.rate_for(dialled, at_ms)
        assert rate is not None, f"the tariff has no price of {dialled}"
        talk_ms = 1 + int(self._random.expovariate(1 / TALK_MEAN_S) * 1000)
        call = Call(key, payer, dialled, rate, at_ms, talk_ms, is_paid=not rate.is_free)
        if call.is_paid:
            held = self.engine.reserve(
                key, payer.account_id, rate, initial_ahead_s=RESERVE_AHEAD_S, at_ms=at_ms, number=dialled
            )
            if not isinstance(held, Reservation):
                self.refused += 1
                return record_of(call, at_ms, outcome="no_credit")
        if self._random.random() < UNANSWERED:
            self.engine.release(key)
            return record_of(call, at_ms, outcome="no_answer")
        if call.is_paid:
            self._pay_ahead(call)
        return call

    def _pay_ahead(self, call: Call) -> None:
        self.engine.start(call.key, call.began_ms)
        granted_s = self.engine.extend(call.key, until_s=-(-call.talk_ms // 1000))
        if granted_s * 1000 < call.talk_ms:
            self.cut += 1
            call.talk_ms = granted_s * 1000

    def _end(self, call: Call) -> list[OutboxRecord]:
        ended_ms = call.began_ms + call.talk_ms
        row = record_of(call, ended_ms, outcome="answered")
        if not call.is_paid:
            return [row]
        self.engine.period.take(ended_ms)
        settlement = self.engine.settle(call.key, call.talk_ms)
        set_charge(row, settlement)
        set_bundles(row, settlement.used)
        at_ms = self.engine.period.stamp_ms(ended_ms)
        account_id = call.payer.account_id
        records: list[OutboxRecord] = [row, *bundle_uses(call.key, 0, account_id, settlement.used, at_ms)]
        if row.cost_micros:
            records.append(UsageEntry(account_id, call.key, 0, -row.cost_micros, at_ms))
        return records


def record_of(call: Call, ended_ms: int, *, outcome: str) -> Cdr:
    """The caller's leg, without its charge."""
    payer, rate = call.payer, call.rate
    is_answered = outcome == "answered"
    return Cdr(
        call_id=call.key,
        leg=0,
        leg_reason="the caller's leg",
        setup_at_ms=call.began_ms,
        ringing_at_ms=call.began_ms,
        answered_at_ms=call.began_ms if is_answered else None,
        ended_at_ms=ended_ms,
        network_number="+441632960999",
        presentation_number="+441632960999",
        privacy="",
        dialled=call.dialled,
        destination=call.dialled,
        destination_name=rate.destination,
        ddi="",
        account_id=payer.account_id,
        line=f"line{payer.account_id}",
        trunk="",
        payer_account_id=payer.account_id,
        duration_ms=call.talk_ms if is_answered else 0,
        billed_s=0,
        connect_fee_micros=0,
        usage_micros=0,
        cost_micros=0,
        rate_prefix=rate.prefix,
        per_minute_micros=rate.per_minute_micros,
        tariff=payer.tariff.name,
        tariff_version=payer.tariff.version,
        balance_after_micros=None,
        sip_status=200 if is_answered else 480,
        q850_cause=16 if is_answered else 19,
        outcome=outcome,
        reason="",
        ended_by="caller",
        source_address="192.0.2.1:5060",
        destination_address="192.0.2.2:5060",
        sip_call_id=call.key,
        other_sip_call_id="",
        user_agent="",
        other_user_agent="",
        post_dial_delay_ms=None,
        is_emergency=False,
        is_recovered=False,
        routing_version="",
    )
