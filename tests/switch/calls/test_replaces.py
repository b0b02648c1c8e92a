"""INVITE with Replaces: which call it means (RFC 3891 3). What becomes of it then is in test_taking_over.py."""

import pytest

from switch.calls.replaces import leg_to_replace
from switch.sip.headers import Headers
from switch.sip.message import Request
from tests.switch.calls.test_in_dialog import a_call, an_early_call, assert_up_until_hung_up
from tests.switch.house import House, Phone


def named(phone: Phone, **changes: str) -> str:
    """The dialog of that phone with us, as we know it."""
    dialog = phone.dialogs[-1]
    call_id = changes.get("call_id", dialog.call_id)
    to_tag = changes.get("to_tag", dialog.remote_tag or "")
    from_tag = changes.get("from_tag", dialog.local_tag)
    return f"{call_id};to-tag={to_tag};from-tag={from_tag}{changes.get('rest', '')}"


def answer_to(house: House, phone: Phone, *replaces: str) -> int:
    before = len(phone.statuses)
    phone.invite("01632960001", extra=[("replaces", value) for value in replaces])
    house.run(1)
    return next(status for status in phone.statuses[before:] if status not in (100, 407))


def other_phone(house: House) -> Phone:
    """Another phone of bob's line, that would pick the call up."""
    return house.phone("bob", "192.0.2.12", seed=8)


@pytest.mark.parametrize(
    ("changes", "status", "label"),
    [
        ({"call_id": "another"}, 481, "replaced_unknown"),
        ({"to_tag": "another"}, 481, "replaced_unknown"),
        ({"from_tag": "another"}, 481, "replaced_unknown"),
        ({"from_tag": "0"}, 481, "replaced_unknown"),
        ({"rest": ";early-only"}, 486, "replaced_is_up"),
        ({"rest": ";to-tag=x"}, 400, "replaces_malformed"),
        ({"rest": ", a;to-tag=1;from-tag=2"}, 400, "replaces_malformed"),
    ],
)
def test_what_does_not_match(changes: dict[str, str], status: int, label: str) -> None:
    house, alice, bob = a_call()
    assert answer_to(house, other_phone(house), named(bob, **changes)) == status
    assert house.exchange.counts.refusals[label] == 1
    assert bob.requests == []
    assert_up_until_hung_up(house, alice)


def test_two_replaces_are_400() -> None:
    house, _, bob = a_call()
    assert answer_to(house, other_phone(house), named(bob), named(bob)) == 400


def test_a_call_that_is_over_is_603() -> None:
    """Its BYE is not answered yet."""
    house, alice, bob = a_call()
    name = named(bob)
    house.link.detach(bob.address)
    alice.hang_up()
    house.run(1)
    assert answer_to(house, other_phone(house), name) == 603
    assert house.exchange.counts.refusals["replaced_is_over"] == 1


def test_an_early_dialog_that_we_did_not_begin_is_481() -> None:
    house, alice, _ = an_early_call()
    assert answer_to(house, other_phone(house), named(alice)) == 481


def test_an_emergency_call_connects_whatever_it_would_replace() -> None:
    """The ladder begins behind it; here there is no trunk for it, which is another answer than 481."""
    house, _, bob = a_call()
    phone = other_phone(house)
    phone.invite("999", extra=[("replaces", named(bob, call_id="another"))])
    house.run(2)
    assert 481 not in phone.statuses
    assert not house.exchange.counts.refusals["replaced_unknown"]


def test_without_the_field_nothing_is_looked_up() -> None:
    house, _, _ = a_call()
    request = Request("INVITE", "sip:bob@example.com", Headers())
    assert leg_to_replace(request, house.exchange.board) is None
