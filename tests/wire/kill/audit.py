"""Every record and every penny: what PostgreSQL holds against what the wire saw. Pure, but for reading the database.

Each rule is a function that returns sentences about what breaks it. The price of a record is computed again from its
billed seconds, in the arithmetic of sipp_scenarios/prices.py, not the engine's.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from sipp_scenarios.prices import price_of
from tests.wire.kill.truth import Attempt, Kill

# The exchange is milliseconds away from the phones, but these tests stop it at points of a call, on a busy machine.
OVERBILLED_MS_MAX = 1000
UNDERBILLED_MS_MAX = 1000
# A call that a crash cut is charged to the last heartbeat, one a second, and a heartbeat takes a moment to be durable.
UNDERBILLED_BY_CRASH_MS_MAX = 3000
# The BYEs of a restarted switch go out in its first turn; the rest is the phones and the machine.
HANG_UP_S = 2.0
# A machine that is late with one process is late with another, and not by the same.
STALLS_NEAR_S = 5.0
STALLS_FACTOR = 2
# What was sent in the last moment before switch and journal died together may be on no disk, unless it was an answer.
LOST_WITH_JOURNAL_S = 0.5

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Books:
    """The database at one moment."""

    cdrs: list[Row]
    ledger: list[Row]
    balances: dict[str, int]
    names: dict[int, str]
    quarantined: list[Row]
    epochs: list[str]


def read_books(dsn: str) -> Books:
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

        def rows(query: str) -> list[Row]:
            return connection.execute(query).fetchall()

        names = {row["id"]: row["name"] for row in rows("SELECT id, name FROM accounts")}
        balances = rows("SELECT account_id, balance_micros FROM account_balances")
        return Books(
            cdrs=rows("SELECT * FROM cdrs ORDER BY call_id, leg"),
            ledger=rows("SELECT * FROM ledger ORDER BY id"),
            balances={names[row["account_id"]]: row["balance_micros"] for row in balances},
            names=names,
            quarantined=rows("SELECT batch, reason FROM quarantine"),
            epochs=[row["epoch"] for row in rows("SELECT epoch FROM journal_marks")],
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything an audit looks at. `live_balances` are the switch's own; `epoch` is its journal's.

    `stalls` are moments when this machine let the phones wait, and for how long (seconds): the exchange on the same
    machine hears then later than the wire what a phone said.
    """

    attempts: Sequence[Attempt]
    kills: Sequence[Kill]
    books: Books
    credits: dict[str, int]
    live_balances: dict[str, int]
    epoch: str
    stalls: Sequence[tuple[float, float]] = ()

    @property
    def recorded(self) -> list[Attempt]:
        """All but the free calls that were answered in the last moment before switch and journal died together.

        A free answer does not wait for the journal, so nobody may remember such a call.
        """
        return [
            attempt
            for attempt in self.attempts
            if attempt.account
            or attempt.answered_at is None
            or not _may_be_lost(attempt.answered_at, self.kills)
        ]

    def stalled_ms(self, at: float) -> int:
        """How late anybody on this machine may have been about that time."""
        return round(
            1000 * STALLS_FACTOR * sum(late for then, late in self.stalls if abs(then - at) < STALLS_NEAR_S)
        )


def audit(evidence: Evidence) -> list[str]:
    """Everything that is wrong; empty when every record and every penny was found."""
    calls: dict[str, list[Row]] = defaultdict(list)
    for row in evidence.books.cdrs:
        calls[row["call_id"]].append(row)
    return [
        *_phones(evidence),
        *_hang_ups(evidence),
        *_outcomes(evidence, calls),
        *_attempts_on_record(evidence, calls),
        *_callees_on_record(evidence),
        *_prices(evidence.books),
        *_durations(evidence, calls),
        *_ledger(evidence),
        *_journal(evidence),
    ]


def _phones(evidence: Evidence) -> Iterable[str]:
    """What the phones themselves complain about, and legs that nobody hung up."""
    for attempt in evidence.recorded:
        if attempt.problem:
            yield f"attempt {attempt.number}: {attempt.problem}: {attempt}"
        if not attempt.is_over:
            yield f"attempt {attempt.number}: not over"
        for callee in attempt.callees:
            if callee.answered_at is not None and callee.ended_at is None:
                yield f"attempt {attempt.number}: a callee that answered got no BYE"


def _hang_ups(evidence: Evidence) -> Iterable[str]:
    """After a restart of the switch both sides of every call that was up have their BYE soon."""
    for kill in evidence.kills:
        if not kill.ends_calls:
            continue
        latest = kill.until + HANG_UP_S + evidence.stalled_ms(kill.until) / 1000
        for attempt in evidence.recorded:
            # A callee whose answer found nobody repeats it up to four seconds later, and only then can be hung up.
            sides = [("caller", attempt.answered_at, attempt.ended_at)]
            sides += [("callee", callee.acked_at, callee.ended_at) for callee in attempt.callees]
            for side, up_at, ended_at in sides:
                was_up = up_at is not None and up_at < kill.at
                if was_up and ended_at is not None and ended_at > latest:
                    late_s = ended_at - kill.until
                    yield f"attempt {attempt.number}: the {side} talked on for {late_s:.1f} s after the restart"


def _outcomes(evidence: Evidence, calls: dict[str, list[Row]]) -> Iterable[str]:
    """No call ends in a way that neither its plan nor a death explains."""
    for rows in calls.values():
        row = rows[0]
        outcome, ended_by = row["outcome"], row["ended_by"]
        if row["is_recovered"]:
            is_explained = outcome in ("answered", "interrupted")
        elif ended_by == "exchange" and _was_closing(row["ended_at"].timestamp(), evidence.kills):
            # A poor account is refused while the exchange closes down as at any other time.
            is_explained = outcome in ("answered", "failed", "draining", "no_credit")
        elif outcome == "answered":
            is_explained = ended_by in ("caller", "callee", "credit")
        else:
            # The two of the journal are right whenever a disk is slow for a quarter of a second.
            is_explained = outcome in ("busy", "cancelled", "no_credit", "gate_closed", "journal_failed")
        if not is_explained:
            yield f"call {row['call_id']}: {outcome} ({row['reason']}), ended by {ended_by}: unexplained"


def _was_closing(at: float, kills: Sequence[Kill]) -> bool:
    return any(kill.is_orderly and kill.at <= at <= kill.until for kill in kills)


def _attempts_on_record(evidence: Evidence, calls: dict[str, list[Row]]) -> Iterable[str]:
    """One set of records for each INVITE that was admitted; none for what nobody sent; legs without a gap."""
    sets: Counter[str] = Counter()
    for rows in calls.values():
        if [row["leg"] for row in rows] != list(range(len(rows))):
            yield f"call {rows[0]['call_id']}: legs {[row['leg'] for row in rows]}"
        sets[rows[0]["sip_call_id"]] += 1
    sure = {attempt.number for attempt in evidence.recorded}
    for attempt in evidence.attempts:
        found = sets.pop(attempt.call_id, 0)
        must = sum(
            (attempt.answered_at is not None and attempt.number in sure)
            or not _may_be_lost(at, evidence.kills)
            for at in attempt.admitted.values()
        )
        # A carrier is not challenged again after a restart: its repeated INVITE is a new call at once.
        most = attempt.tries + (0 if attempt.account else sum(kill.ends_calls for kill in evidence.kills))
        if not must <= found <= most:
            yield f"attempt {attempt.number}: {found} calls on record, expected {must} to {most}: {attempt}"
    for call_id, count in sets.items():
        yield f"{count} calls on record with Call-ID {call_id}, which no phone made"


def _callees_on_record(evidence: Evidence) -> Iterable[str]:
    """Every INVITE that a callee saw is a leg on record, once, beside the leg of its caller."""
    legs: dict[str, list[Row]] = defaultdict(list)
    for row in evidence.books.cdrs:
        if row["leg"] > 0:
            legs[row["sip_call_id"]].append(row)
    recorded = set(legs)
    for attempt in evidence.recorded:
        for callee in attempt.callees:
            rows = legs.pop(callee.call_id, [])
            # The caller repeats its INVITE, and the next process calls the callee once more.
            is_called_again = any(
                other.call_id in recorded for other in attempt.callees if other.call_id != callee.call_id
            )
            is_dispensable = attempt.answered_at is None or is_called_again
            if not rows and is_dispensable and _may_be_lost(callee.invited_at, evidence.kills):
                continue
            if len(rows) != 1:
                yield f"attempt {attempt.number}: {len(rows)} records of the callee's leg {callee}"
            elif rows[0]["other_sip_call_id"] != attempt.call_id:
                yield f"attempt {attempt.number}: its callee's record names {rows[0]['other_sip_call_id']}"


def _may_be_lost(at: float, kills: Sequence[Kill]) -> bool:
    return any(kill.takes_journal and kill.at - LOST_WITH_JOURNAL_S <= at <= kill.until for kill in kills)


def _prices(books: Books) -> Iterable[str]:
    """Each cost is what its billed seconds cost, in its parts and as a whole; only leg 0 pays."""
    for row in books.cdrs:
        where = f"call {row['call_id']} leg {row['leg']}"
        if row["leg"] > 0 or not row["billed_s"]:
            if row["cost_micros"] or row["billed_s"]:
                yield f"{where}: costs {row['cost_micros']} for {row['billed_s']} s"
            continue
        price = price_of(row["rate_prefix"])
        expected = price.cost_micros(row["billed_s"])
        if row["cost_micros"] != expected:
            yield f"{where}: {row['cost_micros']} for {row['billed_s']} s, expected {expected}"
        if row["connect_fee_micros"] + row["usage_micros"] != row["cost_micros"]:
            yield f"{where}: the parts are not the whole"
        if row["billed_s"] != price.billed_s(row["billed_s"] * 1000):
            yield f"{where}: {row['billed_s']} s are no whole intervals"


def _durations(evidence: Evidence, calls: dict[str, list[Row]]) -> Iterable[str]:
    """Never billed more than the wire saw, and not less than a crash excuses."""
    by_caller: dict[str, list[Row]] = defaultdict(list)
    for rows in calls.values():
        by_caller[rows[0]["sip_call_id"]].append(rows[0])
    for attempt in evidence.recorded:
        answered = [row for row in by_caller[attempt.call_id] if row["answered_at"] is not None]
        billed = [row for row in by_caller[attempt.call_id] if row["billed_s"]]
        if len(billed) > 1:
            yield f"attempt {attempt.number}: charged {len(billed)} times"
        if attempt.answered_at is None:
            if billed:
                yield f"attempt {attempt.number}: {billed[0]['billed_s']} s billed, but it heard no answer"
        elif not answered:
            yield f"attempt {attempt.number}: heard an answer, but none is on record: {attempt}"
        else:
            yield from _duration(attempt, billed[0] if billed else answered[0], evidence)


def _duration(attempt: Attempt, row: Row, evidence: Evidence) -> Iterable[str]:
    if not attempt.account:  # nobody pays for a call from a carrier
        if row["billed_s"] or row["payer_account_id"] is not None:
            yield f"attempt {attempt.number}: a call from a carrier was charged: {row}"
        return
    price = price_of(row["rate_prefix"])
    talked_ms = attempt.talked_ms
    assert attempt.answered_at is not None and attempt.ended_at is not None
    stalled_ms = evidence.stalled_ms(attempt.ended_at)
    most_s = price.billed_s(talked_ms + OVERBILLED_MS_MAX + stalled_ms)
    if row["is_recovered"]:
        kill = next(
            (
                kill
                for kill in evidence.kills
                if kill.ends_calls and not kill.is_orderly and kill.until >= attempt.answered_at
            ),
            None,
        )
        if kill is None:
            yield f"attempt {attempt.number}: marked as cut by a crash, but nothing was killed: {row}"
            return
        lived_ms = min(talked_ms, round((kill.at - attempt.answered_at) * 1000))
        least_s = price.billed_s(max(0, lived_ms - UNDERBILLED_BY_CRASH_MS_MAX - stalled_ms))
    elif row["outcome"] == "unconfirmed":
        least_s = 0
    else:
        least_s = price.billed_s(max(0, talked_ms - UNDERBILLED_MS_MAX - stalled_ms))
    if not least_s <= row["billed_s"] <= most_s:
        yield (
            f"attempt {attempt.number}: {row['billed_s']} s billed for {talked_ms} ms on the wire, "
            f"expected {least_s} to {most_s} ({row['outcome']}, {row['reason']}): {attempt} {row}"
        )


def _ledger(evidence: Evidence) -> Iterable[str]:
    """Balance = opening credit - costs = sum of the ledger = what the switch has; a ledger row for each charge."""
    books = evidence.books
    usage = {(row["call_id"], row["leg"]): row for row in books.ledger if row["kind"] == "usage"}
    if len(usage) != sum(row["kind"] == "usage" for row in books.ledger):
        yield "a call is in the ledger twice"
    spent: Counter[str] = Counter()
    for row in books.cdrs:
        if not row["cost_micros"]:
            continue
        spent[books.names[row["payer_account_id"]]] += row["cost_micros"]
        entry = usage.pop((row["call_id"], row["leg"]), None)
        if entry is None:
            yield f"call {row['call_id']}: charged, but not in the ledger"
        elif (entry["amount_micros"], entry["account_id"]) != (
            -row["cost_micros"],
            row["payer_account_id"],
        ):
            yield f"call {row['call_id']}: {row['cost_micros']} on record, {entry} in the ledger"
    for call_id, leg in usage:
        yield f"call {call_id} leg {leg}: in the ledger, but no record costs anything"
    sums: Counter[str] = Counter()
    for row in books.ledger:
        sums[books.names[row["account_id"]]] += row["amount_micros"]
    for name, credit in evidence.credits.items():
        expected = credit - spent[name]
        found = {
            "the balance": books.balances.get(name),
            "the sum of the ledger": sums[name],
            "the switch's balance": evidence.live_balances.get(name),
        }
        for what, micros in found.items():
            if micros != expected:
                yield f"account {name}: {what} is {micros}, expected {expected}"
        if expected < 0:
            yield f"account {name}: {expected} is below its floor"


def _journal(evidence: Evidence) -> Iterable[str]:
    if evidence.books.epochs != [evidence.epoch]:
        yield f"the books have journal epochs {evidence.books.epochs}, the journal is {evidence.epoch}"
    for row in evidence.books.quarantined:
        yield f"quarantined from batch {row['batch']}: {row['reason']}"


def overall(attempts: Sequence[Attempt], books: Books) -> str:
    """One line for people."""
    answered = sum(attempt.answered_at is not None for attempt in attempts)
    recovered = sum(row["is_recovered"] and row["leg"] == 0 for row in books.cdrs)
    charged = sum(row["cost_micros"] > 0 for row in books.cdrs)
    talked_ms = {
        attempt.call_id: attempt.talked_ms for attempt in attempts if attempt.answered_at is not None
    }
    unsafe = sum(row["outcome"] in ("gate_closed", "journal_failed") for row in books.cdrs)
    excess_ms = max(
        (row["duration_ms"] - talked_ms.get(row["sip_call_id"], 0) for row in books.cdrs if row["billed_s"]),
        default=0,
    )
    return (
        f"{len(attempts)} attempts, {answered} answered; {len(books.cdrs)} records, {charged} charged, "
        f"{recovered} calls ended by recovery, {unsafe} not taken because they could not be recorded; "
        f"longest beyond the wire {excess_ms} ms"
    )
