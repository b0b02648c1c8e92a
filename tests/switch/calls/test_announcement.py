"""Refusals in words, retrieval, and how much of either the exchange lets happen."""

import pytest

from rating.tariff import load_tariff
from switch.calls.announcement import PROMPTS, offers_audio
from switch.calls.refusal import IN_ORDER
from switch.calls.sips import SIPS_NOT_ALLOWED
from switch.calls.voicemail import ANNOUNCEMENT_S_MAX, ANNOUNCEMENTS_PER_CALLER_MAX, ANNOUNCEMENTS_PER_SECOND
from switch.config import CallLimits
from switch.sip.flow import Flow
from switch.sip.message import format_message, make_response
from tests.switch.house import (
    ANSWER,
    OFFER,
    TARIFF_CSV,
    House,
    Phone,
    make_account,
    make_conf,
    make_line,
    make_trunk,
)
from tests.switch.voicemail_stand_in import UNREACHABLE, StandIn, to_voicemail, voicemail_conf

ACCESS = "+441632960099"
TARIFF = load_tariff("retail", TARIFF_CSV + "on-net,On-net,0.01,0.03,60,60,2020-01-01,\n", "inc_vat")


class Town:
    """alice, who has credit or not; a carrier; voicemail that announces."""

    def __init__(
        self, *, balance: int = 1_000_000, account: dict[str, object] | None = None, **settings: object
    ) -> None:
        calls = settings.pop("calls", None)
        conf = make_conf(trunks=[make_trunk("carrier", "192.0.2.50")], tariff=TARIFF, calls=calls)
        self.house = House(
            conf=voicemail_conf(conf, access_numbers=(ACCESS,), **settings),
            lines=[make_line("alice", diverts=to_voicemail(UNREACHABLE)), make_line("bob", 2)],
            accounts=[make_account(1, **(account or {})), make_account(2)],
            balances={1: balance, 2: 1_000_000},
        )
        self.voicemail = StandIn(self.house)
        self.alice = self.house.phone("alice", "192.0.2.10")
        self.carrier = self.house.phone("carrier", "192.0.2.50")
        self.alice.register()


def last_rows(house: House) -> list[tuple[str, str, int, int]]:
    cdrs = house.journal.cdrs()
    rows = [row for row in cdrs if row.call_id == cdrs[-1].call_id]
    return [(row.leg_reason, row.outcome, row.sip_status, row.cost_micros) for row in rows]


def test_every_label_is_that_of_a_refusal() -> None:
    labels = {refused.label for refused in (*IN_ORDER, SIPS_NOT_ALLOWED)}
    assert set(PROMPTS) - labels == {"divert_unavailable"}


def test_no_credit_is_said_as_early_media_and_then_402() -> None:
    town = Town(balance=0)
    town.voicemail.announces(402)
    town.alice.invite("01632960123")
    town.house.run(1)
    assert town.alice.responses[-1].status == 183
    assert town.alice.responses[-1].body == ANSWER
    assert town.voicemail.asked == ["announce.no-credit;status=402;cause=21"]
    assert len(town.house.exchange.board.calls) == 1
    town.house.run(3)
    assert town.alice.statuses[-1] == 402
    assert "cause=21" in (town.alice.responses[-1].headers.get("reason") or "")
    assert last_rows(town.house) == [
        ("the caller's leg", "no_credit", 402, 0),
        ("announcement no-credit", "failed", 402, 0),
    ]
    assert town.house.journal.cdrs()[-2].reason == "not enough credit for the first interval of this call"
    assert town.house.journal.cdrs()[-1].destination == "voicemail"
    assert town.house.balance() == 0 and not town.house.journal.usage()
    assert town.house.exchange.counts.refusals == {"no_credit": 1}
    town.house.assert_clean()


@pytest.mark.parametrize(
    ("dialled", "asked", "status", "label"),
    [
        ("0500123456", "number-not-recognised;status=404;cause=1", 404, "number_not_in_use"),
        ("01632", "number-not-recognised;status=484;cause=28", 484, "unrecognised_number"),
        ("*99*01632960124#", "service-unknown;status=404;cause=1", 404, "service_code_unknown"),
        ("bob", "not-available;status=480;cause=20", 480, "not_registered"),
        ("+33123456789", "barred;status=403;cause=21", 403, "no_rate"),
    ],
)
def test_what_is_said(dialled: str, asked: str, status: int, label: str) -> None:
    town = Town()
    town.voicemail.announces(status)
    town.alice.invite(dialled)
    town.house.run(4)
    assert town.voicemail.asked == [f"announce.{asked}"]
    assert town.alice.statuses[-1] == status
    assert town.house.journal.cdrs()[-2].outcome == label
    town.house.assert_clean()


def test_a_suspended_account_and_a_full_line_are_told_so() -> None:
    town = Town(account={"is_suspended": True})
    town.voicemail.announces(403)
    town.alice.invite("01632960123")
    town.house.run(4)
    assert town.voicemail.asked == ["announce.account-suspended;status=403;cause=21"]
    town = Town(calls=CallLimits(calls_per_line_max=1))
    town.voicemail.announces(403)
    town.alice.invite("01632960123")
    town.house.run(1)
    town.alice.invite("01632960124")
    town.house.run(4)
    assert town.voicemail.asked == ["announce.all-lines-busy;status=403;cause=21"]
    town.alice.hang_up()
    town.house.run(1)
    town.house.assert_clean()


def test_an_announcement_takes_no_call_of_the_line_or_its_account() -> None:
    town = Town(account={"calls_max": 1})
    town.voicemail.announces(404, after_s=10)
    town.alice.invite("0500123456")
    town.house.run(1)
    town.alice.invite("01632960123")
    town.house.run(1)
    assert len(town.carrier.requests_of("INVITE")) == 1
    town.house.run(10)
    town.alice.hang_up()
    town.house.run(1)
    town.house.assert_clean()


def test_a_caller_who_hangs_up_during_the_words_is_on_record_as_refused() -> None:
    town = Town(balance=0)
    town.voicemail.announces(402)
    town.alice.invite("01632960123")
    town.house.run(1)
    town.alice.stack.cancel(town.alice.invites[-1], town.house.clock.now)
    town.house.run(1)
    assert town.alice.statuses[-1] == 487
    assert town.voicemail.requests_of("CANCEL")
    assert last_rows(town.house)[0][:3] == ("the caller's leg", "no_credit", 487)
    assert town.house.exchange.counts.refusals == {"no_credit": 1}
    town.house.assert_clean()


def test_words_that_are_answered_all_the_same_cost_nothing_and_end_in_the_refusal() -> None:
    town = Town(balance=0)
    town.voicemail.answer = 200
    town.alice.invite("01632960123")
    town.house.run(2)
    assert town.alice.statuses[-1] == 402
    assert town.voicemail.requests_of("BYE")
    assert last_rows(town.house)[0] == ("the caller's leg", "no_credit", 402, 0)
    town.house.assert_clean()


@pytest.mark.parametrize("status", [404, 480, 500, 503, 603])
def test_the_final_status_is_the_exchanges_own_whatever_voicemail_says(status: int) -> None:
    town = Town(balance=0)
    town.voicemail.announces(status, after_s=0.2)
    town.alice.invite("01632960123")
    town.house.run(2)
    assert town.alice.statuses[-1] == 402
    town.house.assert_clean()


def test_words_without_an_end_are_cut() -> None:
    town = Town(balance=0)
    town.voicemail.announces(402, after_s=1000)
    town.alice.invite("01632960123")
    town.house.run(ANNOUNCEMENT_S_MAX + 1)
    assert town.alice.statuses[-1] == 402
    assert town.voicemail.requests_of("CANCEL")
    town.house.assert_clean()


def test_without_a_reaction_the_bare_code_goes_out_within_a_second_and_the_next_at_once() -> None:
    town = Town(balance=0)
    town.voicemail.go_away()
    town.alice.invite("01632960123")
    town.house.run(1.2)
    assert town.alice.statuses[-1] == 402
    assert len(last_rows(town.house)) == 2
    town.alice.invite("01632960123")
    town.house.run(0.2)
    assert town.alice.statuses[-1] == 402
    assert len(last_rows(town.house)) == 1
    town.house.run(40)
    town.house.assert_clean()


def test_voicemail_that_dies_is_known_before_anybody_asks_and_so_is_one_that_comes_back() -> None:
    town = Town(balance=0)
    server = town.house.exchange.voicemail
    assert server.is_there
    town.voicemail.go_away()
    town.house.run(8)
    assert not server.is_there and server.lost == 1
    town.house.run(60)
    town.voicemail.come_back()
    town.house.run(6)
    assert server.is_there
    town.house.run(40)
    town.house.assert_clean()


def no_audio(offer: bytes) -> bytes:
    return offer.replace(b"m=audio 4000", b"m=audio 0")


@pytest.mark.parametrize(
    ("body", "hears"),
    [
        (OFFER, True),
        (b"", False),
        (no_audio(OFFER), False),
        (OFFER.replace(b"m=audio 4000 RTP/AVP 8", b"m=image 4000 udptl t38"), False),
        (OFFER.replace(b"m=audio", b"m=video"), False),
        (OFFER.replace(b"4000", b"99999"), False),
        (b"v=0\r\no=\r\nm=\r\n", False),
        (b"hello", False),
    ],
)
def test_who_can_be_played_something(body: bytes, hears: bool) -> None:
    assert offers_audio(body) is hears


@pytest.mark.parametrize("body", [b"", no_audio(OFFER)])
def test_who_cannot_be_played_anything_gets_the_bare_code(body: bytes) -> None:
    town = Town(balance=0)
    town.alice.invite("01632960123", body=body)
    town.house.run(0.2)
    assert town.alice.statuses[-1] == 402
    assert town.voicemail.asked == []
    town.house.assert_clean()


def test_a_carriers_caller_hears_his_own_network() -> None:
    town = Town()
    town.carrier.invite("+441632960555", from_="<sip:+442079460123@carrier.example>")
    town.house.run(1)
    town.carrier.invite("bob", from_="<sip:+442079460123@carrier.example>")
    town.house.run(1)
    assert town.carrier.statuses == [403, 484]
    assert town.voicemail.asked == []
    town.house.assert_clean()


def test_without_voicemail_nothing_is_said() -> None:
    house = House(lines=[make_line("alice")], balances={1: 0})
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    alice.invite("bob")
    house.run(1)
    alice.invite("1571")
    house.run(1)
    assert alice.statuses[-1] == 404
    house.assert_clean()


def refused_many(town: Town, phones: list[Phone], each: int) -> None:
    for _ in range(each):
        for phone in phones:
            phone.invite("0500123456")
            town.house.run(0.01)
    town.house.run(0.2)


def test_announcements_at_once_are_limited_and_the_rest_is_refused_as_before() -> None:
    town = Town(announcements_max=2)
    town.voicemail.announces(404, after_s=20)
    bob = town.house.phone("bob", "192.0.2.20")
    bob.register()
    refused_many(town, [town.alice, bob], 3)
    server = town.house.exchange.voicemail
    assert (len(town.voicemail.asked), server.announcing) == (2, 2)
    assert server.announcements_refused == {"at_once": 4}
    assert town.alice.statuses.count(404) + bob.statuses.count(404) == 4
    town.house.run(25)
    assert server.announcing == 0
    town.house.assert_clean()


def test_one_caller_has_only_some_of_them() -> None:
    town = Town()
    town.voicemail.announces(404, after_s=20)
    refused_many(town, [town.alice], 6)
    server = town.house.exchange.voicemail
    assert len(town.voicemail.asked) == ANNOUNCEMENTS_PER_CALLER_MAX
    assert server.announcements_refused == {"of_one_caller": 6 - ANNOUNCEMENTS_PER_CALLER_MAX}
    town.house.run(25)
    town.house.assert_clean()


def test_a_machine_that_redials_soon_gets_bare_codes() -> None:
    """Each announcement ends at once, so that only their rate can hold them."""
    town = Town(announcements_max=5)
    town.voicemail.announces(404, after_s=0.01)
    for _ in range(200):
        town.alice.invite("0500123456")
        town.house.run(0.05)
    assert len(town.voicemail.asked) <= 10 * ANNOUNCEMENTS_PER_SECOND + 5
    assert town.house.exchange.voicemail.announcements_refused["a_second"] > 50
    town.house.run(1)
    town.house.assert_clean()


def test_none_at_once_means_none() -> None:
    town = Town(announcements_max=0)
    refused_many(town, [town.alice], 2)
    assert town.voicemail.asked == []


# --- listening to messages


def test_a_line_hears_its_own_messages_at_zero_balance_and_it_is_free() -> None:
    town = Town(balance=0)
    town.alice.invite("1571")
    town.house.run(70)
    assert town.alice.statuses[-1] == 200
    assert town.voicemail.asked == ["retrieve.alice"]
    town.alice.hang_up()
    town.house.run(1)
    assert last_rows(town.house) == [
        ("the caller's leg", "answered", 200, 0),
        ("retrieval", "answered", 200, 0),
    ]
    rows = town.house.journal.cdrs()[-2:]
    assert [(row.line, row.destination, row.payer_account_id) for row in rows] == [
        ("alice", "1571", None),
        ("alice", "voicemail", None),
    ]
    town.house.assert_clean()


def test_a_line_without_a_mailbox_and_whoever_calls_the_access_number_say_whose_messages() -> None:
    town = Town()
    bob = town.house.phone("bob", "192.0.2.20")
    bob.register()
    bob.invite("1571")
    town.house.run(1)
    bob.hang_up()
    town.alice.invite("01632960099")
    town.house.run(1)
    town.alice.hang_up()
    town.carrier.invite(ACCESS, from_="<sip:+442079460123@carrier.example>")
    town.house.run(1)
    town.carrier.hang_up()
    town.house.run(1)
    assert town.voicemail.asked == ["retrieve", "retrieve", "retrieve"]
    assert {row.cost_micros for row in town.house.journal.cdrs()} == {0}
    town.house.assert_clean()


def test_a_carrier_that_dials_the_code_reaches_nobodys_mailbox() -> None:
    town = Town()
    town.carrier.invite("1571", from_="<sip:+442079460123@carrier.example>")
    town.house.run(1)
    assert town.carrier.statuses[-1] == 404
    assert town.voicemail.asked == []


def test_a_suspended_account_does_not_listen() -> None:
    town = Town(account={"is_suspended": True}, announcements_max=0)
    town.alice.invite("1571")
    town.house.run(1)
    assert town.alice.statuses[-1] == 403
    assert town.voicemail.asked == []


@pytest.mark.parametrize(
    ("code", "dialled", "is_found"),
    [("*98", "*98", True), ("*98", "*98#", True), ("*98", "1571", False), ("*98", "*98*1#", False)],
)
def test_the_code_is_configured(code: str, dialled: str, is_found: bool) -> None:
    town = Town(code=code, announcements_max=0)
    town.alice.invite(dialled)
    town.house.run(1)
    assert town.voicemail.asked == (["retrieve.alice"] if is_found else [])
    assert (town.alice.statuses[-1] == 200) is is_found


def test_voicemail_that_is_away_is_480_at_once() -> None:
    town = Town()
    town.voicemail.go_away()
    town.house.run(10)
    town.alice.invite("1571")
    town.house.run(0.3)
    assert town.alice.statuses[-1] == 480
    assert last_rows(town.house)[0][1] == "voicemail_unavailable"
    town.house.run(40)
    town.house.assert_clean()


def test_after_a_crash_words_that_were_being_said_are_cancelled_and_nobody_pays() -> None:
    town = Town(balance=0)
    town.voicemail.announces(402, after_s=1000)
    town.alice.invite("01632960123")
    town.house.run(2)
    again = House(
        conf=town.house.conf,
        lines=list(town.house.exchange.books.lines.values()),
        accounts=[make_account(1), make_account(2)],
        balances={1: 0},
        link=town.house.link,
        state=dict(town.house.journal.state),
        seed=2,
    )
    again.run(3)
    assert town.alice.statuses[-1] == 500
    assert town.voicemail.requests_of("CANCEL")
    assert [(row.outcome, row.cost_micros) for row in again.journal.cdrs()] == [("interrupted", 0)] * 2
    again.run(40)
    again.assert_clean()


def test_asking_whether_it_is_there_keeps_nothing_and_costs_a_datagram() -> None:
    town = Town()
    stack = town.house.exchange.stack
    town.house.run(60)
    assert stack.transactions_count == 0
    before = len(town.voicemail.requests_of("OPTIONS"))
    town.house.run(30)
    assert len(town.voicemail.requests_of("OPTIONS")) - before in (14, 15, 16)
    town.voicemail.go_away()
    town.house.run(60)
    assert stack.transactions_count == 0
    # one that is lost is no silence
    town.voicemail.come_back()
    town.house.run(3)
    lost: list[bytes] = []
    town.house.link.is_lost = lambda datagram: datagram.data.startswith(b"OPTIONS") and not (
        lost.append(b"") or len(lost) % 2
    )
    town.house.run(60)
    assert len(lost) > 8
    assert town.house.exchange.voicemail.lost == 1


def test_somebody_else_cannot_say_that_it_is_there() -> None:
    town = Town()
    town.voicemail.go_away()
    town.house.run(10)
    answer = town.voicemail.requests_of("OPTIONS")[0]
    spoken = format_message(make_response(answer, 200, to_tag="x"))
    exchange = town.house.exchange
    exchange.receive(spoken, Flow("UDP", "192.0.2.66", 5070, "192.0.2.1", 5060), town.house.clock.now)
    assert not exchange.voicemail.is_there
    exchange.receive(spoken, Flow("UDP", "192.0.2.70", 5070, "192.0.2.1", 5060), town.house.clock.now)
    assert exchange.voicemail.is_there
