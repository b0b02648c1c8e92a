"""Inclusive minutes while calls run: covered, mixed with money, refused, cut, renewed, diverted, and after a crash."""

import msgspec
import pytest

from provisioning.model import (
    AccountChanged,
    BundleBalance,
    BundleChanged,
    Divert,
    DivertCondition,
    DivertKind,
)
from rating.bundle_terms import BundleTerms
from rating.records import BundleUse
from switch.bundle_metrics import bundle_metrics
from switch.bundle_view import live_bundles
from switch.bundles import GRANT_KEY
from switch.config import Prepaid
from tests.switch.house import STARTED_AT_S, House, Phone, make_account, make_conf, make_line, make_trunk

START_MS = int(STARTED_AT_S * 1000)
MOBILE = "07700900123"
CONNECT, PER_SECOND = 10_000, 1_000  # of a UK mobile in the house's tariff


def bundle(bundle_id: int = 1, seconds: int = 300, **facts: object) -> BundleTerms:
    given: dict[str, object] = {
        "id": bundle_id, "account_id": 1, "revision": 1, "name": "UK 5", "granted_s": seconds,
        "valid_from_ms": START_MS - 1000, "expires_at_ms": None, "groups": ("UK", "UK mobile"),
    }  # fmt: skip
    return BundleTerms(**{**given, **facts})


def make_house(*bundles: BundleTerms, balance: int = 0, **more: object) -> House:
    return House(
        conf=make_conf(trunks=[make_trunk("carrier", "192.0.2.50")], prepaid=more.pop("prepaid", None)),
        lines=more.pop("lines", None) or [make_line("alice"), make_line("bob")],
        balances={1: balance},
        bundles=[BundleBalance(terms) for terms in bundles],
        **more,
    )


def with_phones(house: House) -> tuple[Phone, Phone]:
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("carrier", "192.0.2.50")
    alice.register()
    alice.statuses.clear()
    return alice, carrier


def uses(house: House) -> list[tuple[int, int, int]]:
    """Bundle, leg, seconds."""
    return [
        (record.bundle_id, record.leg, record.seconds)
        for record in house.journal.records
        if isinstance(record, BundleUse)
    ]


def left_s(house: House, bundle_id: int = 1) -> int:
    at_ms = house.wall.ms(house.clock.now)
    return next(row.left_s for row in live_bundles(house.exchange, 1, at_ms) if row.id == bundle_id)


def test_a_covered_call_connects_without_any_credit_and_costs_nothing() -> None:
    house = make_house(bundle())
    alice, _ = with_phones(house)
    alice.invite(MOBILE)
    house.run(61)
    alice.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert (row.outcome, row.billed_s, row.cost_micros, row.connect_fee_micros) == ("answered", 61, 0, 0)
    assert (row.bundled_s, row.bundles) == (61, "1=61")
    assert uses(house) == [(1, 0, 61)]
    assert house.journal.usage() == []
    assert left_s(house) == 239
    house.assert_clean()


def test_a_call_that_a_bundle_covers_in_part_goes_on_with_money() -> None:
    house = make_house(bundle(1, 40), balance=1_000_000)
    alice, _ = with_phones(house)
    alice.invite(MOBILE)
    house.run(61)
    alice.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert (row.billed_s, row.bundled_s, row.bundles) == (61, 40, "1=40")
    assert (row.cost_micros, row.connect_fee_micros) == (21 * PER_SECOND, 0)
    assert [entry.amount_micros for entry in house.journal.usage()] == [-21 * PER_SECOND]
    assert house.balance() == 1_000_000 - 21 * PER_SECOND
    house.assert_clean()


def test_without_credit_the_call_is_cut_at_the_last_covered_second_after_the_warning() -> None:
    house = make_house(bundle(1, 100))
    warned: list[float] = []
    alice, carrier = with_phones(house)
    alice.invite(MOBILE)
    house.run(3)
    (call,) = house.exchange.board.calls.values()
    call.meters[0]._watch._on_low = warned.append
    house.run(150)
    assert alice.requests_of("BYE")
    assert carrier.requests_of("BYE")
    row = house.journal.cdrs()[0]
    assert row.ended_by == "credit"
    assert 100_000 <= row.duration_ms <= 101_000
    assert (row.billed_s, row.bundled_s, row.cost_micros) == (100, 100, 0)
    assert len(warned) == 1
    answered_at = call.rows[0].answered_at_ms / 1000 - STARTED_AT_S
    assert warned[0] == pytest.approx(answered_at + 90)
    house.assert_clean()


def test_no_warning_where_none_is_set() -> None:
    house = make_house(bundle(1, 30), prepaid=Prepaid(warning_s=0))
    warned: list[float] = []
    alice, _ = with_phones(house)
    alice.invite(MOBILE)
    house.run(3)
    (call,) = house.exchange.board.calls.values()
    call.meters[0]._watch._on_low = warned.append
    house.run(60)
    assert house.journal.cdrs()[0].ended_by == "credit"
    assert warned == []


def test_a_bundle_that_is_used_up_refuses_the_next_call_before_anything_rings() -> None:
    house = make_house(bundle(1, 20))
    alice, carrier = with_phones(house)
    alice.invite(MOBILE)
    house.run(60)
    before = len(carrier.requests)
    alice.invite(MOBILE)
    house.run(10)
    assert alice.statuses[-1] == 402
    assert len(carrier.requests) == before
    house.run(40)
    house.assert_clean()


def test_a_destination_outside_the_bundle_costs_money() -> None:
    house = make_house(bundle(groups=("UK",)), balance=1_000_000)
    alice, _ = with_phones(house)
    alice.invite(MOBILE)
    house.run(10)
    alice.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert (row.bundled_s, row.bundles) == (0, "")
    assert row.cost_micros == CONNECT + row.billed_s * PER_SECOND
    assert uses(house) == []


def test_an_unanswered_call_gives_everything_back() -> None:
    house = make_house(bundle())
    alice, carrier = with_phones(house)
    carrier.answer = 486
    alice.invite(MOBILE)
    house.run(0.3)
    assert left_s(house) == 240
    house.run(40)
    assert left_s(house) == 300
    assert uses(house) == []
    house.assert_clean()


def test_two_lines_share_a_bundle_and_do_not_overdraw_it() -> None:
    house = make_house(bundle(1, 100))
    alice, _ = with_phones(house)
    bob = house.phone("bob", "192.0.2.11")
    bob.register()
    alice.invite(MOBILE)
    bob.invite("07700900456")
    house.run(200)
    rows = [row for row in house.journal.cdrs() if row.leg == 0]
    assert sum(row.bundled_s for row in rows) == 100
    assert {row.cost_micros for row in rows} == {0}
    assert left_s(house) == 0
    house.assert_clean()


def test_a_new_grant_keeps_a_covered_call_up_and_counts_at_once() -> None:
    house = make_house(bundle(1, 60))
    alice, _ = with_phones(house)
    alice.invite(MOBILE)
    house.run(30)
    house.exchange.apply_changes([BundleChanged(bundle(2, 600))], house.clock.now)
    assert left_s(house, 2) == 600
    house.run(100)
    alice.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert row.ended_by == "caller"
    assert row.bundles == f"1=60 2={row.billed_s - 60}"
    assert sorted(uses(house)) == [(1, 0, 60), (2, 0, row.billed_s - 60)]
    house.assert_clean()


def test_a_bundle_that_is_ended_stops_a_call_at_what_it_had_set_aside() -> None:
    house = make_house(bundle(1, 6000))
    alice, _ = with_phones(house)
    alice.invite(MOBILE)
    house.run(10)
    ended = bundle(1, 6000, revision=2, expires_at_ms=house.wall.ms(house.clock.now))
    house.exchange.apply_changes([BundleChanged(ended)], house.clock.now)
    house.run(100)
    row = house.journal.cdrs()[0]
    assert (row.ended_by, row.billed_s, row.cost_micros) == ("credit", 60, 0)
    house.assert_clean()


def test_an_account_that_is_changed_keeps_its_bundles() -> None:
    house = make_house(bundle())
    house.exchange.apply_changes([AccountChanged(make_account(calls_max=5))], house.clock.now)
    assert left_s(house) == 300


def test_who_diverts_pays_with_his_own_bundle() -> None:
    divert = Divert(DivertCondition.ALL, DivertKind.NUMBER, "+447700900123")
    house = House(
        conf=make_conf(trunks=[make_trunk("carrier", "192.0.2.50")]),
        lines=[make_line("alice"), make_line("bob", 2, diverts=(divert,))],
        accounts=[make_account(1), make_account(2)],
        balances={1: 0, 2: 0},
        bundles=[BundleBalance(bundle(7, 300, account_id=2))],
    )
    alice, _ = with_phones(house)
    alice.invite("bob")
    house.run(30)
    alice.hang_up()
    house.run(40)
    caller, onward = house.journal.cdrs()
    assert (caller.cost_micros, caller.bundles) == (0, "")
    assert (onward.payer_account_id, onward.cost_micros, onward.bundles) == (2, 0, f"7={onward.billed_s}")
    assert uses(house) == [(7, onward.leg, onward.billed_s)]
    house.assert_clean()


def test_a_bundle_that_expired_while_it_rang_does_not_pay() -> None:
    house = make_house(bundle(expires_at_ms=START_MS + 5_000), balance=1_000_000)
    alice, carrier = with_phones(house)
    carrier.answer_after_s = 10.0
    alice.invite(MOBILE)
    house.run(30)
    alice.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert (row.bundles, row.connect_fee_micros) == ("", CONNECT)
    assert row.cost_micros == CONNECT + row.billed_s * PER_SECOND
    assert left_s(house) == 0
    house.assert_clean()


def test_a_bundle_that_expired_while_it_rang_cuts_a_call_that_nothing_pays_for() -> None:
    house = make_house(bundle(expires_at_ms=START_MS + 5_000))
    alice, carrier = with_phones(house)
    carrier.answer_after_s = 10.0
    alice.invite(MOBILE)
    house.run(60)
    row = house.journal.cdrs()[0]
    assert (row.ended_by, row.cost_micros, row.bundled_s) == ("credit", 0, 0)
    assert row.duration_ms < 1000
    house.assert_clean()


def test_a_discount_is_on_the_record() -> None:
    house = make_house(bundle(1, 0, percent=50), balance=1_000_000)
    alice, _ = with_phones(house)
    alice.invite(MOBILE)
    house.run(31)
    alice.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert row.cost_micros == CONNECT // 2 + row.billed_s * PER_SECOND // 2
    assert (row.bundled_s, row.bundles) == (0, "")
    house.assert_clean()


def test_fair_use_raises_an_alarm_and_money_holds() -> None:
    house = make_house(bundle(1, 60, is_fair_use=True, name="Unlimited"), balance=1_000_000)
    alice, _ = with_phones(house)
    alice.invite(MOBILE)
    house.run(90)
    alice.hang_up()
    house.run(5)
    alarms = house.exchange.board.safety.alarms
    assert alarms["fair_use"] == 1
    assert house.journal.cdrs()[0].cost_micros == (house.journal.cdrs()[0].billed_s - 60) * PER_SECOND
    names = {metric.name: metric for metric in bundle_metrics(house.exchange.engine.bundles)}
    assert names["offhook_fair_use_reached"].samples[0].value == 1
    assert names["offhook_bundle_used_seconds"].samples[0].value == 60
    house.run(40)
    house.assert_clean()


# A crash


def crash(house: House, *bundles: BundleTerms, balance: int = 0) -> House:
    """The journal's uses above the mark are replayed, as the process does."""
    replayed: dict[tuple[int, str], tuple[int, int]] = {}
    for record in house.journal.records:
        if isinstance(record, BundleUse):
            seconds, carried_s = replayed.get((record.bundle_id, record.number), (0, 0))
            replayed[record.bundle_id, record.number] = seconds + record.seconds, carried_s + record.carried_s
    return make_house(
        *bundles,
        balance=balance,
        state=dict(house.journal.state),
        link=house.link,
        bundle_uses=replayed,
        seed=2,
    )


def test_a_call_that_a_crash_cut_has_used_what_it_talked() -> None:
    house = make_house(bundle(1, 300))
    alice, carrier = with_phones(house)
    alice.invite(MOBILE)
    house.run(70.4)
    again = crash(house, bundle(1, 300))
    again.run(5)
    assert alice.requests_of("BYE")
    assert carrier.requests_of("BYE")
    row = again.journal.cdrs()[0]
    assert row.is_recovered
    assert 68 <= row.billed_s <= 71
    assert (row.bundled_s, row.bundles, row.cost_micros) == (row.billed_s, f"1={row.billed_s}", 0)
    assert uses(again) == [(1, 0, row.billed_s)]
    assert left_s(again) == 300 - row.billed_s
    again.run(40)
    again.assert_clean()


def test_a_crash_again_comes_to_the_same_and_another_call_finds_the_rest() -> None:
    house = make_house(bundle(1, 100), balance=500_000)
    alice, _ = with_phones(house)
    alice.invite(MOBILE)
    house.run(30)
    alice.hang_up()
    house.run(2)
    (done,) = uses(house)
    alice.invite(MOBILE)
    house.run(120.4)
    once = crash(house, bundle(1, 100), balance=500_000)
    twice = crash(house, bundle(1, 100), balance=500_000)
    for each in (once, twice):
        row = each.journal.cdrs()[0]
        assert row.bundled_s == 100 - done[2]
        assert row.cost_micros == (row.billed_s - row.bundled_s) * PER_SECOND
        assert each.balance() == 500_000 - row.cost_micros
        assert left_s(each) == 0


def test_the_journal_knows_what_the_answer_changed() -> None:
    """The bundle was over by then: a crash before the next renewal charges money, as the end of the call would have."""
    house = make_house(bundle(expires_at_ms=START_MS + 5_000), balance=1_000_000)
    alice, carrier = with_phones(house)
    carrier.answer_after_s = 10.0
    alice.invite(MOBILE)
    house.run(25.4)
    again = crash(house, bundle(expires_at_ms=START_MS + 5_000), balance=1_000_000)
    row = again.journal.cdrs()[0]
    assert row.is_recovered
    assert (row.bundles, row.cost_micros) == ("", CONNECT + row.billed_s * PER_SECOND)
    assert uses(again) == []


def test_recovery_of_a_discounted_call_costs_what_it_would_have_cost() -> None:
    house = make_house(bundle(1, 0, percent=50), balance=1_000_000)
    alice, _ = with_phones(house)
    alice.invite(MOBILE)
    house.run(30.4)
    again = crash(house, bundle(1, 0, percent=50), balance=1_000_000)
    row = again.journal.cdrs()[0]
    assert row.cost_micros == CONNECT // 2 + row.billed_s * PER_SECOND // 2


def test_a_grant_that_no_checkpoint_has_outlives_a_restart_and_is_forgotten_with_one() -> None:
    house = make_house()
    alice, _ = with_phones(house)
    house.exchange.apply_changes([BundleChanged(bundle(9, 300))], house.clock.now)
    alice.invite(MOBILE)
    house.run(21)
    alice.hang_up()
    house.run(2)
    used_s = uses(house)[0][2]
    without = crash(house)
    assert left_s(without, 9) == 300 - used_s
    assert f"{GRANT_KEY}9" in without.journal.state
    with_it = crash(house, bundle(9, 300))
    assert left_s(with_it, 9) == 300 - used_s
    assert f"{GRANT_KEY}9" not in with_it.journal.state


def test_uses_replayed_before_their_grant_is_told_are_not_forgotten() -> None:
    house = make_house(bundle_uses={(9, ""): (50, 0)})
    house.exchange.apply_changes([BundleChanged(bundle(9, 300))], house.clock.now)
    assert left_s(house, 9) == 250


def test_the_open_record_of_an_older_release_is_read() -> None:
    """It has no covers."""
    house = make_house(balance=1_000_000)
    alice, _ = with_phones(house)
    alice.invite(MOBILE)
    house.run(10)
    key = next(key for key in house.journal.state if key.startswith("c/"))
    fields = msgspec.msgpack.decode(house.journal.state[key])
    house.journal.state[key] = msgspec.msgpack.encode(fields[:7])
    again = crash(house, balance=1_000_000)
    assert again.journal.cdrs()[0].cost_micros > 0
