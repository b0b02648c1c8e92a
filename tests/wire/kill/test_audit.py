"""The audit of the kill test finds what it is there to find: each kind of loss, made on purpose in sound books."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.wire.kill.audit import Books, Evidence, Row, audit
from tests.wire.kill.truth import Attempt, CalleeTruth, Kill, Plan

EPOCH = "00ff"
CREDIT = 1_000_000
KILLED_AT = 1_000.0


def cdr(leg: int, **changed: object) -> Row:
    """A row of a call of 2.4 s to +441632..., at a penny a second; leg 0 pays three of them."""
    is_caller = leg == 0
    return {
        "call_id": "call",
        "leg": leg,
        "sip_call_id": "a-leg" if is_caller else "b-leg",
        "other_sip_call_id": "b-leg" if is_caller else "a-leg",
        "payer_account_id": 1 if is_caller else None,
        "rate_prefix": "+441632" if is_caller else "",
        "billed_s": 3 if is_caller else 0,
        "cost_micros": 30_000 if is_caller else 0,
        "connect_fee_micros": 0,
        "usage_micros": 30_000 if is_caller else 0,
        "duration_ms": 2_400,
        "answered_at": datetime.fromtimestamp(990.0, UTC),
        "ended_at": datetime.fromtimestamp(992.4, UTC),
        "is_recovered": False,
        "outcome": "answered",
        "ended_by": "caller",
        "reason": "the caller hung up",
        **changed,
    }


def sound() -> Evidence:
    """One call of 2.4 s before a kill, charged and in the ledger."""
    attempt = Attempt(0, "rich", "2000", "a-leg", Plan(dials="01632960999", ring_s=0.1, talk_s=2.4))
    attempt.tries = 1
    attempt.admitted = {2: 989.9}
    attempt.answered_at, attempt.acked_at, attempt.ended_at = 990.0, 990.0, 992.4
    attempt.is_over = True
    attempt.callees = [CalleeTruth("b-leg", 989.9, answered_at=990.0, acked_at=990.0, ended_at=992.4)]
    ledger: list[Row] = [
        {
            "kind": "top_up",
            "account_id": 1,
            "amount_micros": CREDIT,
            "call_id": None,
            "leg": None,
        },
        {
            "kind": "usage",
            "account_id": 1,
            "amount_micros": -30_000,
            "call_id": "call",
            "leg": 0,
        },
    ]
    return Evidence(
        attempts=[attempt],
        kills=[Kill("SWITCH", KILLED_AT, until=1_002.0, ends_calls=True)],
        books=Books(
            cdrs=[cdr(0), cdr(1)],
            ledger=ledger,
            balances={"rich": CREDIT - 30_000},
            names={1: "rich"},
            quarantined=[],
            epochs=[EPOCH],
        ),
        credits={"rich": CREDIT},
        live_balances={"rich": CREDIT - 30_000},
        epoch=EPOCH,
    )


def lose_all_records(evidence: Evidence) -> None:
    evidence.books.cdrs.clear()


def lose_the_callees_record(evidence: Evidence) -> None:
    del evidence.books.cdrs[1]


def double_the_call(evidence: Evidence) -> None:
    evidence.books.cdrs.extend([cdr(0, call_id="again"), cdr(1, call_id="again")])


def invent_a_call(evidence: Evidence) -> None:
    evidence.books.cdrs.append(cdr(0, call_id="ghost", sip_call_id="ghost", billed_s=0, cost_micros=0))


def charge_a_penny_too_much(evidence: Evidence) -> None:
    evidence.books.cdrs[0]["cost_micros"] += 10_000


def charge_one_micro_elsewhere(evidence: Evidence) -> None:
    evidence.books.cdrs[0]["connect_fee_micros"] += 1


def bill_longer_than_the_wire(evidence: Evidence) -> None:
    evidence.books.cdrs[0].update(billed_s=5, cost_micros=50_000, usage_micros=50_000)


def bill_shorter_than_the_wire(evidence: Evidence) -> None:
    evidence.books.cdrs[0].update(billed_s=1, cost_micros=10_000, usage_micros=10_000)


def bill_what_was_not_heard(evidence: Evidence) -> None:
    evidence.attempts[0].answered_at = None


def forget_the_charge_in_the_ledger(evidence: Evidence) -> None:
    del evidence.books.ledger[1]


def charge_twice_in_the_ledger(evidence: Evidence) -> None:
    evidence.books.ledger.append(evidence.books.ledger[1])


def keep_a_ledger_row_without_a_call(evidence: Evidence) -> None:
    evidence.books.ledger.append({**evidence.books.ledger[1], "call_id": "nobody's", "amount_micros": 0})


def let_the_balance_drift(evidence: Evidence) -> None:
    evidence.books.balances["rich"] += 1


def let_the_switch_drift(evidence: Evidence) -> None:
    evidence.live_balances["rich"] -= 1


def put_something_into_quarantine(evidence: Evidence) -> None:
    evidence.books.quarantined.append({"batch": 7, "reason": "made for a test"})


def begin_another_journal(evidence: Evidence) -> None:
    evidence.books.epochs.append("1234")


def leave_the_callee_without_bye(evidence: Evidence) -> None:
    evidence.attempts[0].callees[0].ended_at = None


def leave_both_talking_after_the_restart(evidence: Evidence) -> None:
    attempt = evidence.attempts[0]
    attempt.ended_at = attempt.callees[0].ended_at = 1_010.0


def recover_a_call_although_nothing_died(evidence: Evidence) -> None:
    evidence.books.cdrs[0]["is_recovered"] = True
    evidence.kills[0].ends_calls = False


def end_a_call_without_a_reason(evidence: Evidence) -> None:
    evidence.books.cdrs[0]["ended_by"] = "exchange"


def name_another_caller(evidence: Evidence) -> None:
    evidence.books.cdrs[1]["other_sip_call_id"] = ""


FAULTS = [
    lose_all_records,
    lose_the_callees_record,
    double_the_call,
    invent_a_call,
    charge_a_penny_too_much,
    charge_one_micro_elsewhere,
    bill_longer_than_the_wire,
    bill_shorter_than_the_wire,
    bill_what_was_not_heard,
    forget_the_charge_in_the_ledger,
    charge_twice_in_the_ledger,
    keep_a_ledger_row_without_a_call,
    let_the_balance_drift,
    let_the_switch_drift,
    put_something_into_quarantine,
    begin_another_journal,
    leave_the_callee_without_bye,
    leave_both_talking_after_the_restart,
    recover_a_call_although_nothing_died,
    end_a_call_without_a_reason,
    name_another_caller,
]


def test_sound_books_pass() -> None:
    assert audit(sound()) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_every_fault_is_found(fault: Callable[[Evidence], None]) -> None:
    evidence = copy.deepcopy(sound())
    fault(evidence)
    assert audit(evidence)


def test_an_unanswered_attempt_may_be_lost_only_when_the_journal_died_with_the_switch() -> None:
    evidence = sound()
    attempt = evidence.attempts[0]
    attempt.answered_at = attempt.acked_at = attempt.ended_at = None
    attempt.callees.clear()
    attempt.admitted = {2: KILLED_AT - 0.01}
    evidence.books.cdrs.clear()
    del evidence.books.ledger[1]
    evidence.books.balances["rich"] = evidence.live_balances["rich"] = CREDIT
    assert audit(evidence)
    evidence.kills[0].takes_journal = True
    assert audit(evidence) == []


def test_a_free_call_answered_just_before_both_died_may_be_forgotten() -> None:
    evidence = sound()
    attempt = evidence.attempts[0]
    attempt.answered_at = attempt.acked_at = KILLED_AT - 0.01
    attempt.admitted = {2: KILLED_AT - 0.02}
    attempt.callees[0].ended_at = None
    evidence.books.cdrs.clear()
    del evidence.books.ledger[1]
    evidence.books.balances["rich"] = evidence.live_balances["rich"] = CREDIT
    evidence.kills[0].takes_journal = True
    assert audit(evidence)
    attempt.account = ""
    assert audit(evidence) == []


def called_again_after_both_died() -> Evidence:
    """Switch and journal die right after an INVITE; the caller repeats his, and the next process calls once more."""
    evidence = sound()
    kill = evidence.kills[0]
    kill.takes_journal = True
    kill.at, kill.until = 989.5, 989.7
    attempt = evidence.attempts[0]
    attempt.callees.insert(0, CalleeTruth("lost-leg", 989.4, answered_at=989.8, acked_at=990.2, ended_at=990.2))
    return evidence


def test_an_invite_that_died_with_the_journal_may_have_no_record_when_its_caller_was_put_through_again() -> None:
    assert audit(called_again_after_both_died()) == []


def test_it_must_have_one_when_the_journal_lived_or_when_it_is_the_only_one() -> None:
    evidence = called_again_after_both_died()
    evidence.kills[0].takes_journal = False
    assert any("lost-leg" in problem for problem in audit(evidence))
    evidence = called_again_after_both_died()
    lose_the_callees_record(evidence)
    assert any("lost-leg" in problem for problem in audit(evidence))
