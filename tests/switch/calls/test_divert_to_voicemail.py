"""Calls to a line that diverts to voicemail: when they go there, what they cost, what the caller hears if it fails."""

import msgspec
import pytest

from provisioning.model import DivertCondition
from rating.tariff import load_tariff
from switch.calls.sips import keeps_promise
from switch.calls.target import VoicemailTarget
from switch.config import CallLimits
from switch.sip.flow import Flow
from tests.clock import HandClock
from tests.link import Link
from tests.switch.house import (
    DOMAIN,
    TARIFF_CSV,
    House,
    make_account,
    make_conf,
    make_line,
    make_trunk,
)
from tests.switch.voicemail_stand_in import (
    ALL,
    BUSY,
    NO_REPLY,
    UNREACHABLE,
    StandIn,
    to_voicemail,
    voicemail_conf,
)

NUMBER = "+441632960002"
TARIFF = load_tariff("retail", TARIFF_CSV + "on-net,On-net,0.01,0.03,60,60,2020-01-01,\n", "inc_vat")


class Street:
    """alice calls bob, who diverts to voicemail; each is an account of its own."""

    def __init__(
        self,
        *conditions: DivertCondition,
        ring_s: int = 15,
        bob: dict[str, object] | None = None,
        link: Link | None = None,
    ) -> None:
        conf = make_conf(trunks=[make_trunk("carrier", "192.0.2.50")], tariff=TARIFF)
        self.house = House(
            conf=voicemail_conf(conf),
            lines=[
                make_line("alice"),
                make_line("bob", 2, diverts=to_voicemail(*conditions, ring_s=ring_s), **(bob or {})),
                make_line("carol", 3),
            ],
            accounts=[make_account(1), make_account(2), make_account(3)],
            numbers={NUMBER: "bob"},
            balances={1: 1_000_000, 2: 0, 3: 1_000_000},
            link=link,
        )
        self.voicemail = StandIn(self.house)
        self.alice = self.house.phone("alice", "192.0.2.10")
        self.bob = self.house.phone("bob", "192.0.2.20")
        self.alice.register()

    def diversion(self) -> str:
        value = self.voicemail.requests_of("INVITE")[-1].headers.get("diversion")
        assert value is not None
        return value

    def legs(self) -> list[tuple[str, str, str, str]]:
        """Of the last call: line, what the leg was for, where it led, what came of it."""
        cdrs = self.house.journal.cdrs()
        last = cdrs[-1].call_id
        rows = [row for row in cdrs if row.call_id == last]
        return [(row.line, row.leg_reason, row.destination, row.outcome) for row in rows]


def test_a_busy_line_goes_on_to_voicemail_and_the_caller_pays_for_calling_the_line() -> None:
    street = Street(BUSY)
    street.bob.register()
    street.bob.answer, street.bob.answer_after_s = 486, 0.2
    street.alice.invite("01632960002")
    street.house.run(1)
    assert street.alice.statuses[-1] == 200
    assert street.voicemail.asked == ["deposit.bob"]
    assert street.diversion() == f"<sip:bob@{DOMAIN}>;reason=user-busy;counter=1"
    invite = street.voicemail.requests_of("INVITE")[0]
    assert invite.headers.get("to") == f"<sip:{NUMBER}@{DOMAIN}>"
    assert f"<sip:alice@{DOMAIN}>" in (invite.headers.get("from") or "")
    street.house.run(30)
    street.alice.hang_up()
    street.house.run(1)
    assert street.legs() == [
        ("alice", "the caller's leg", NUMBER, "answered"),
        ("bob", "a phone of line bob", NUMBER, "busy"),
        ("bob", "divert_busy", "voicemail", "answered"),
    ]
    caller, phone, voicemail = street.house.journal.cdrs()[-3:]
    assert (caller.payer_account_id, caller.cost_micros) == (1, 40_000)  # connect fee and one minute
    assert (phone.payer_account_id, phone.cost_micros) == (None, 0)
    assert (voicemail.payer_account_id, voicemail.cost_micros, voicemail.account_id) == (None, 0, 2)
    assert (street.house.balance(1), street.house.balance(2)) == (960_000, 0)
    assert caller.other_sip_call_id == voicemail.sip_call_id
    street.house.assert_clean()


def test_an_unanswered_line_goes_on_after_the_rules_own_time() -> None:
    street = Street(NO_REPLY)
    street.bob.register()
    street.bob.answer_after_s = None
    street.alice.invite("bob")
    street.house.run(14.5)
    assert street.alice.statuses[-1] == 180
    assert street.voicemail.asked == []
    street.house.run(1)
    assert street.alice.statuses[-1] == 200
    assert street.bob.requests_of("CANCEL")
    assert "reason=no-answer" in street.diversion()
    street.alice.hang_up()
    street.house.run(1)
    assert [leg[1:] for leg in street.legs()[1:]] == [
        ("a phone of line bob", "bob", "no_answer"),
        ("divert_no_reply", "voicemail", "answered"),
    ]
    street.house.assert_clean()


def test_who_answers_in_time_keeps_the_call() -> None:
    street = Street(NO_REPLY, BUSY, UNREACHABLE)
    street.bob.register()
    street.bob.answer_after_s = 14
    street.alice.invite("bob")
    street.house.run(40)
    assert street.alice.statuses[-1] == 200
    assert street.voicemail.asked == []
    street.alice.hang_up()
    street.house.run(1)
    street.house.assert_clean()


def test_an_answer_that_crosses_the_divert_is_hung_up() -> None:
    street = Street(NO_REPLY)
    street.bob.register()
    street.bob.answer_after_s = 14.99  # our CANCEL is on its way
    street.alice.invite("bob")
    street.house.run(20)
    assert street.voicemail.asked == ["deposit.bob"]
    assert street.bob.requests_of("BYE")
    street.alice.hang_up()
    street.house.run(1)
    street.house.assert_clean()


def test_an_unregistered_line_goes_on_at_once() -> None:
    street = Street(UNREACHABLE)
    street.alice.invite("01632960002")
    street.house.run(0.5)
    assert street.alice.statuses[-1] == 200
    assert street.voicemail.asked == ["deposit.bob"]
    assert "reason=unavailable" in street.diversion()
    street.alice.hang_up()
    street.house.run(1)
    assert street.legs()[1:] == [("bob", "divert_unreachable", "voicemail", "answered")]
    assert street.house.balance(1) == 960_000
    street.house.assert_clean()


def test_a_phone_without_power_is_left_after_the_reaction_time() -> None:
    """It is registered still; nothing comes back."""
    street = Street(UNREACHABLE)
    street.bob.register()
    street.house.link.detach(street.bob.address)
    street.alice.invite("bob")
    street.house.run(5.8)
    assert street.voicemail.asked == []
    street.house.run(1)
    assert street.alice.statuses[-1] == 200
    assert street.house.exchange.keepalive.failures == 1
    street.alice.hang_up()
    street.house.run(40)
    street.house.assert_clean()


def test_a_phone_that_reacts_is_not_unreachable() -> None:
    street = Street(UNREACHABLE)
    street.bob.register()
    street.bob.answer_after_s = 20
    street.alice.invite("bob")
    street.house.run(25)
    assert street.voicemail.asked == []
    assert street.alice.statuses[-1] == 200
    street.alice.hang_up()
    street.house.run(1)
    street.house.assert_clean()


def test_all_calls_go_at_once_and_no_phone_rings() -> None:
    street = Street(ALL)
    street.bob.register()
    street.alice.invite("bob")
    street.house.run(0.5)
    assert street.alice.statuses[-1] == 200
    assert not street.bob.requests_of("INVITE")
    assert "reason=unconditional" in street.diversion()
    street.alice.hang_up()
    street.house.run(1)
    assert street.legs()[1:] == [("bob", "divert_all", "voicemail", "answered")]
    street.house.assert_clean()


def test_as_many_calls_as_a_line_may_have_is_busy_and_a_message_is_none_of_them() -> None:
    street = Street(BUSY, bob={"calls_max": 1})
    carol = street.house.phone("carol", "192.0.2.30")
    carol.register()
    street.bob.register()
    street.alice.invite("bob")
    street.house.run(1)
    carol.invite("bob")
    street.house.run(1)
    assert (street.alice.statuses[-1], carol.statuses[-1]) == (200, 200)
    assert street.voicemail.asked == ["deposit.bob"]
    street.alice.hang_up()
    street.house.run(1)
    # carol still leaves her message; bob can be called again, and can call
    street.alice.invite("bob")
    street.house.run(1)
    assert street.voicemail.asked == ["deposit.bob"]
    assert len(street.bob.requests_of("INVITE")) == 2
    street.alice.hang_up()
    carol.hang_up()
    street.house.run(1)
    street.house.assert_clean()


def test_a_line_that_goes_on_while_it_rings_is_free_for_the_next_call() -> None:
    street = Street(NO_REPLY, ring_s=5, bob={"calls_max": 1})
    carol = street.house.phone("carol", "192.0.2.30")
    carol.register()
    street.bob.register()
    street.bob.answer_after_s = None
    street.alice.invite("bob")
    street.house.run(6)
    assert street.alice.statuses[-1] == 200
    carol.invite("bob")
    street.house.run(1)
    assert carol.statuses[-1] == 180
    street.alice.hang_up()
    street.house.run(6)
    carol.hang_up()
    street.house.run(1)
    street.house.assert_clean()


@pytest.mark.parametrize("status", [600, 603, 488])
def test_what_is_not_for_a_divert_is_the_callers_to_hear(status: int) -> None:
    street = Street(ALL, BUSY, NO_REPLY, UNREACHABLE)
    line = street.house.exchange.books.lines["bob"]
    line = msgspec.structs.replace(line, diverts=to_voicemail(BUSY, NO_REPLY, UNREACHABLE))
    street.house.exchange.books.lines["bob"] = line
    street.bob.register()
    street.bob.answer = status
    street.alice.invite("bob")
    street.house.run(2)
    assert street.alice.statuses[-1] == status
    assert street.voicemail.asked == []
    street.house.assert_clean()


@pytest.mark.parametrize(("answer", "heard"), [(486, 486), (480, 480)])
def test_voicemail_that_is_away_leaves_the_caller_with_the_lines_own_outcome(answer: int, heard: int) -> None:
    street = Street(BUSY, UNREACHABLE)
    street.bob.register()
    street.bob.answer, street.bob.ring_status = answer, 0
    street.voicemail.go_away()
    street.alice.invite("bob")
    street.house.run(1)
    assert street.alice.statuses[-1] < 200 or street.alice.statuses[-1] == 407
    street.house.run(0.8)
    assert street.alice.statuses[-1] == heard
    assert street.house.exchange.voicemail.silent_calls == 1
    assert street.legs()[0][3] == ("busy" if heard == 486 else "unavailable")
    # known to be away: the next caller does not wait
    street.alice.invite("bob")
    street.house.run(0.8)
    assert street.alice.statuses[-1] == heard
    assert street.house.exchange.voicemail.silent_calls == 1
    street.house.run(60)
    street.house.assert_clean()


def test_voicemail_that_died_a_moment_ago_leaves_an_unregistered_line_unregistered() -> None:
    street = Street(UNREACHABLE, ALL)
    street.voicemail.go_away()
    street.alice.invite("bob")
    street.house.run(2)
    assert street.alice.statuses[-1] == 480
    assert street.house.journal.cdrs()[-2].outcome == "not_registered"
    assert street.house.exchange.counts.refusals["not_registered"] == 1
    assert street.house.balance(1) == 1_000_000
    street.house.run(60)
    street.house.assert_clean()


def test_all_calls_to_voicemail_that_is_known_to_be_away_is_480_and_nothing_rings() -> None:
    street = Street(ALL)
    street.bob.register()
    street.voicemail.go_away()
    street.house.run(10)
    street.alice.invite("bob")
    street.house.run(0.5)
    assert street.alice.statuses[-1] == 480
    assert not street.bob.requests_of("INVITE")
    assert street.house.journal.cdrs()[-1].outcome == "divert_unavailable"
    street.house.run(60)
    street.house.assert_clean()


def test_phones_ring_on_while_there_is_nowhere_to_go_on_to() -> None:
    street = Street(NO_REPLY)
    street.bob.register()
    street.bob.answer_after_s = 30
    street.voicemail.go_away()
    street.house.run(10)
    street.alice.invite("bob")
    street.house.run(35)
    assert street.alice.statuses[-1] == 200
    street.alice.hang_up()
    street.house.run(60)
    street.house.assert_clean()


@pytest.mark.parametrize("status", [480, 486, 404, 500, 603])
def test_a_mailbox_that_refuses_leaves_the_lines_own_outcome(status: int) -> None:
    street = Street(BUSY)
    street.bob.register()
    street.bob.answer = 486
    street.voicemail.answer = status
    street.alice.invite("bob")
    street.house.run(2)
    assert street.alice.statuses[-1] == 486
    assert street.legs()[0][3] == "busy"
    assert street.house.balance(1) == 1_000_000
    street.house.assert_clean()


def test_a_call_goes_on_once() -> None:
    street = Street(BUSY, UNREACHABLE, NO_REPLY)
    street.bob.register()
    street.bob.answer = 486
    street.voicemail.answer = 486
    street.alice.invite("bob")
    street.house.run(30)
    assert street.voicemail.asked == ["deposit.bob"]
    assert street.alice.statuses[-1] == 486
    street.house.assert_clean()


def test_a_caller_who_gives_up_while_voicemail_is_asked() -> None:
    street = Street(UNREACHABLE)
    street.voicemail.answer_after_s, street.voicemail.ring_status = None, 180
    street.alice.invite("bob")
    street.house.run(0.5)
    street.alice.stack.cancel(street.alice.invites[-1], street.house.clock.now)
    street.house.run(1)
    assert street.voicemail.requests_of("CANCEL")
    assert street.alice.statuses[-1] == 487
    assert [leg[3] for leg in street.legs()] == ["cancelled", "cancelled"]
    street.house.assert_clean()


def test_voicemail_hangs_up_when_the_message_is_done() -> None:
    street = Street(UNREACHABLE)
    street.alice.invite("bob")
    street.house.run(20)
    street.voicemail.hang_up()
    street.house.run(1)
    assert street.alice.requests_of("BYE")
    assert street.house.journal.cdrs()[-2].ended_by == "callee"
    street.house.assert_clean()


def test_a_carriers_call_is_diverted_too_and_keeps_its_own_history() -> None:
    street = Street(UNREACHABLE)
    carrier = street.house.phone("carrier", "192.0.2.50")
    carrier.invite(
        NUMBER,
        from_="<sip:+442079460123@carrier.example>",
        extra=[("diversion", "<sip:+441632960077@carrier.example>;reason=user-busy")],
    )
    street.house.run(1)
    assert carrier.statuses[-1] == 200
    invite = street.voicemail.requests_of("INVITE")[0]
    assert [value.partition("@")[0] for value in invite.headers.get_all("diversion")] == [
        "<sip:bob",
        "<sip:+441632960077",
    ]
    assert "+442079460123" in (invite.headers.get("from") or "")
    carrier.hang_up()
    street.house.run(1)
    street.house.assert_clean()


def test_a_withheld_number_stays_withheld() -> None:
    street = Street(UNREACHABLE)
    street.alice.invite("14101632960002")
    street.house.run(1)
    invite = street.voicemail.requests_of("INVITE")[0]
    assert "alice" not in (invite.headers.get("from") or "")
    assert "anonymous" in (invite.headers.get("from") or "")
    street.alice.hang_up()
    street.house.run(1)
    street.house.assert_clean()


def test_without_credit_for_calling_the_line_nobody_is_diverted() -> None:
    street = Street(UNREACHABLE)
    street.house.exchange.engine.debit_usage(1, 999_000)
    street.alice.invite("bob", body=b"")
    street.house.run(1)
    assert street.alice.statuses[-1] == 402
    assert street.voicemail.asked == []
    street.house.assert_clean()


def test_an_emergency_call_meets_no_divert() -> None:
    street = Street(ALL)
    carrier = street.house.phone("carrier", "192.0.2.50")
    street.bob.register()
    street.bob.invite("999")
    street.house.run(2)
    assert len(carrier.requests_of("INVITE")) == 1
    assert street.voicemail.asked == []
    street.bob.hang_up()
    street.house.run(1)
    street.house.assert_clean()


def test_two_phones_one_busy_one_silent_is_busy() -> None:
    street = Street(BUSY)
    street.bob.register()
    second = street.house.phone("bob", "192.0.2.21")
    second.register(call_id="other")
    street.bob.answer = 486
    second.answer, second.ring_status = 480, 0
    street.alice.invite("bob")
    street.house.run(2)
    assert street.voicemail.asked == ["deposit.bob"]
    street.alice.hang_up()
    street.house.run(1)
    street.house.assert_clean()


def test_the_exchanges_own_limit_is_no_reply_where_the_rule_is_longer() -> None:
    conf = make_conf(calls=CallLimits(no_answer_timeout_s=20))
    house = House(
        conf=voicemail_conf(conf),
        lines=[make_line("alice"), make_line("bob", diverts=to_voicemail(NO_REPLY, ring_s=120))],
    )
    voicemail = StandIn(house)
    alice, bob = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.20")
    alice.register()
    bob.register()
    bob.answer_after_s = None
    alice.invite("bob")
    house.run(22)
    assert voicemail.asked == ["deposit.bob"]
    alice.hang_up()
    house.run(1)
    house.assert_clean()


def test_the_callers_own_limit_diverts_nothing() -> None:
    street = Street(NO_REPLY)
    street.bob.register()
    street.bob.answer_after_s = None
    street.alice.invite("bob", extra=[("expires", "5")])
    street.house.run(30)
    assert street.alice.statuses[-1] == 487
    assert street.voicemail.asked == []
    street.house.assert_clean()


@pytest.mark.parametrize("seed", range(6))
def test_a_bad_link_changes_nothing_but_the_time(seed: int) -> None:
    link = Link(HandClock(), seed=seed, loss=0.2, duplication=0.2, reorder=0.2)
    street = Street(BUSY, NO_REPLY, UNREACHABLE, link=link)
    for phone in (street.alice, street.bob):
        phone.register()
        street.house.run(10)
    street.bob.answer = 486
    street.alice.invite("bob")
    street.house.run(40)
    assert street.voicemail.asked == ["deposit.bob"]
    for _ in range(3):
        if street.alice.dialogs:
            street.alice.hang_up()
        street.house.run(40)
    rows = street.house.journal.cdrs()
    assert len({row.call_id for row in rows}) == 1
    assert sum(row.cost_micros for row in rows) == rows[0].cost_micros
    street.house.run(120)
    street.house.assert_clean()


def test_a_sips_call_goes_to_voicemail_on_this_machine_only() -> None:
    def target(host: str) -> VoicemailTarget:
        return VoicemailTarget(Flow("UDP", host, 5070, "192.0.2.1", 5060), "sip:deposit.bob@x", "divert_busy")

    assert keeps_promise(target("127.0.0.1")) and keeps_promise(target("::1"))
    assert not keeps_promise(target("192.0.2.70"))


# --- a crash


def crash(street: Street) -> House:
    """Another process with the journal's state, on the same network."""
    house = street.house
    fresh = House(
        conf=house.conf,
        lines=list(house.exchange.books.lines.values()),
        accounts=[make_account(1), make_account(2), make_account(3)],
        numbers={NUMBER: "bob"},
        balances={1: 1_000_000},
        link=house.link,
        state=dict(house.journal.state),
        seed=2,
    )
    street.alice.house = street.bob.house = street.voicemail.house = fresh
    return fresh


def test_after_a_crash_a_message_ends_on_both_sides_and_is_charged_to_the_last_heartbeat() -> None:
    street = Street(BUSY)
    street.bob.register()
    street.bob.answer = 486
    street.alice.invite("bob")
    street.house.run(65)
    again = crash(street)
    again.run(3)
    assert street.alice.requests_of("BYE") and street.voicemail.requests_of("BYE")
    rows = again.journal.cdrs()
    # A target that failed before the crash is interrupted on record, as the next trunk of a hunt is: its row is
    # completed when the call ends.
    assert [(row.leg, row.leg_reason, row.outcome) for row in rows] == [
        (0, "the caller's leg", "answered"),
        (1, "a phone of line bob", "interrupted"),
        (2, "divert_busy", "answered"),
    ]
    assert (rows[0].cost_micros, rows[2].cost_micros) == (70_000, 0)
    again.run(40)
    again.assert_clean()


def test_after_a_crash_voicemail_that_was_being_asked_is_cancelled() -> None:
    street = Street(UNREACHABLE)
    street.voicemail.answer_after_s, street.voicemail.ring_status = None, 183
    street.alice.invite("bob")
    street.house.run(2)
    again = crash(street)
    again.run(3)
    assert street.alice.statuses[-1] == 500
    assert street.voicemail.requests_of("CANCEL")
    assert [row.outcome for row in again.journal.cdrs()] == ["interrupted", "interrupted"]
    again.run(40)
    again.assert_clean()
