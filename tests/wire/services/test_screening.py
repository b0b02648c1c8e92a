"""RFC 5359 2.13 and 2.14: calls that are not let in, and calls that are not let out."""


from demo.phone_messages import CallState
from tests.wire.phones.town import Town
from tests.wire.services.codes import REFUSE_ANONYMOUS, TAKE_ANONYMOUS
from tests.wire.services.conftest import People


def test_incoming_call_screening(town: Town, people: People) -> None:
    """2.13: Bob wants no calls without a number; his phone does not ring for one."""
    alice, bob = people("alice"), people("bob")
    code = bob.phone.dial(town.uri(REFUSE_ANONYMOUS.replace("#", "%23")))
    code.wait_for(CallState.CONFIRMED, timeout_s=5.0)
    code.wait_ended(timeout_s=20.0)
    try:
        mark = bob.phone.mark()
        call = alice.phone.dial(town.uri(f"141{bob.number}"))
        assert call.wait_ended().status == 433
        assert bob.has_not_rung(after=mark)
    finally:
        bob.phone.dial(town.uri(TAKE_ANONYMOUS)).wait_ended(timeout_s=20.0)


def test_outgoing_call_screening(town: Town, people: People) -> None:
    """2.14: Alice's line may not call numbers that its tariff does not have; no carrier hears of it."""
    alice = people("alice")
    call = alice.phone.dial(town.uri("09098790123"))
    assert call.wait_ended().status in (403, 404)
    assert town.live_calls() == []


def test_outgoing_call_screening_by_the_subscriber(town: Town, people: People) -> None:
    """2.14: Alice bars calls to mobiles from her own phone."""
    alice = people("alice")
    code = alice.phone.dial(town.uri("*341%23"))
    code.wait_for(CallState.CONFIRMED, timeout_s=5.0)
    code.wait_ended(timeout_s=20.0)
    try:
        assert alice.phone.dial(town.uri("07700900123")).wait_ended().status == 403
    finally:
        alice.phone.dial(town.uri("%23341%23")).wait_ended(timeout_s=20.0)
