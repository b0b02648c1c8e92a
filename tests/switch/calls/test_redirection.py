"""A phone that answers 302: the call goes where its Contacts say, as by a divert of the line, and no further."""

import pytest

from switch.sip.message import Request
from tests.switch.calls.test_divert_matrix import BOB, CAROL, MOBILE, Street, shown_number
from tests.switch.house import DOMAIN, make_line


def street_with(*contacts: str, status: int = 302) -> Street:
    street = Street(())
    street.bob.register()
    street.bob.answer, street.bob.answer_after_s = status, 0.1
    street.bob.answer_headers = [("contact", contact) for contact in contacts]
    return street


def only(requests: list[Request]) -> Request:
    (request,) = requests
    return request


@pytest.mark.parametrize(
    "contact",
    [f"<sip:07700900123@{DOMAIN}>", f"<sip:{MOBILE}@192.0.2.1;user=phone>", "<tel:+44-7700-900123>"],
)
@pytest.mark.parametrize("status", [301, 302, 305])
def test_a_number_is_called_on_the_account_of_who_sends_the_call_on(contact: str, status: int) -> None:
    street = street_with(contact, status=status)
    street.alice.invite("01632960002")
    street.house.run(2)
    assert street.alice.statuses[-1] == 200
    invite = only(street.carrier_out.requests_of("INVITE"))
    assert invite.headers.get("diversion") == f"<sip:{BOB}@{DOMAIN}>;reason=deflection;counter=1"
    street.house.run(30)
    street.alice.hang_up()
    street.house.run(1)
    rows = street.rows()
    assert [(row.payer_account_id, row.cost_micros > 0) for row in rows] == [
        (1, True),
        (None, False),
        (2, True),
    ]
    street.assert_money_adds_up()
    street.house.assert_clean()


@pytest.mark.parametrize("contact", ["nonsense<<", "<sip:", f"<sip:{MOBILE}@{DOMAIN}", '"a <sip:x@y>'])
def test_a_place_that_cannot_be_read_is_none(contact: str) -> None:
    street = street_with(contact)
    street.alice.invite("01632960002")
    street.house.run(2)
    assert street.alice.statuses[-1] == 480
    assert [row.sip_status for row in street.rows()] == [480, 302]
    street.house.assert_clean()
    readable = street_with(contact, f"<sip:carol@{DOMAIN}>")
    readable.alice.invite("01632960002")
    readable.house.run(2)
    assert readable.carol.requests_of("INVITE")


def test_a_line_is_rung_and_sees_who_called() -> None:
    street = street_with(f"<sip:carol@{DOMAIN}>")
    street.alice.invite("bob")
    street.house.run(2)
    assert street.alice.statuses[-1] == 200
    assert shown_number(only(street.carol.requests_of("INVITE"))) == f"<sip:+441632960001@{DOMAIN}>"
    street.alice.hang_up()
    street.house.run(1)
    street.house.assert_clean()


def test_contacts_are_tried_in_the_order_of_their_q() -> None:
    street = street_with(
        f"<sip:{MOBILE}@{DOMAIN}>;q=0.2", f"<sip:carol@{DOMAIN}>;q=0.7, <sip:nobody@{DOMAIN}>;q=0.9"
    )
    street.carol.answer, street.carol.answer_after_s = 486, 0.1
    street.alice.invite("bob")
    street.house.run(3)
    assert street.carol.requests_of("INVITE") and street.carrier_out.requests_of("INVITE")
    assert [row.line or row.trunk for row in street.rows()] == []
    street.alice.hang_up()
    street.house.run(1)
    assert [row.line or row.trunk for row in street.rows()] == ["alice", "bob", "carol", "out"]
    street.house.assert_clean()


@pytest.mark.parametrize(
    "contact",
    [
        "",
        "*",
        "<sip:carol@example.net>",
        f"<sip:999@{DOMAIN}>",
        f"<sip:112@{DOMAIN}>",
        f"<sip:09098790123@{DOMAIN}>",
        f"<sip:118500@{DOMAIN}>",
        f"<sip:bob@{DOMAIN}>",
        f"<sip:{BOB}@{DOMAIN}>",
        "<http://example.com/>",
    ],
)
def test_where_no_call_is_sent_to_the_caller_hears_that_nobody_is_there(contact: str) -> None:
    street = street_with(*([contact] if contact else []))
    street.alice.invite("bob")
    street.house.run(2)
    assert street.alice.statuses[-1] == 480
    assert street.carrier_out.requests_of("INVITE") == []
    assert len(street.bob.requests_of("INVITE")) == 1
    street.house.assert_clean()
    assert street.house.exchange.counts.bugs == 0


def test_a_carriers_call_is_sent_on_too_and_two_phones_that_send_each_other_their_calls_end() -> None:
    street = street_with(f"<sip:{CAROL}@{DOMAIN}>")
    street.carol.answer, street.carol.answer_after_s = 302, 0.1
    street.carol.answer_headers = [("contact", f"<sip:bob@{DOMAIN}>")]
    street.carrier_in.invite(BOB)
    street.house.run(3)
    assert street.carrier_in.statuses[-1] == 480
    assert len(street.bob.requests_of("INVITE")) == len(street.carol.requests_of("INVITE")) == 1
    street.house.assert_clean()


def test_a_line_without_credit_sends_nothing_outside() -> None:
    street = street_with(f"<sip:{MOBILE}@{DOMAIN}>")
    street.house.exchange.engine.debit_usage(2, 5_000_000)
    street.before[2] = 0
    street.alice.invite("bob")
    street.house.run(2)
    assert street.alice.statuses[-1] == 480
    assert street.carrier_out.requests_of("INVITE") == []
    street.house.assert_clean()


def test_who_is_suspended_sends_nothing_on() -> None:
    street = street_with(f"<sip:carol@{DOMAIN}>")
    account = street.house.exchange.books.accounts[2]
    street.house.exchange.books.accounts[2] = type(account)(
        **{name: getattr(account, name) for name in account.__struct_fields__} | {"is_suspended": True}
    )
    street.house.exchange.books.lines["x"] = make_line("x")
    street.alice.invite("bob")
    street.house.run(2)
    assert street.alice.statuses[-1] == 480
    assert street.carol.requests_of("INVITE") == []
