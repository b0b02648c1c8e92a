"""RFC 5359 2.7 to 2.9 and 2.12: calls that go on to another phone, and phones that are looked for together."""

import contextlib
from collections.abc import Callable, Iterator

from demo.phone import Phone
from demo.phone_messages import CallState
from tests.wire.phones.calling import hang_up
from tests.wire.phones.town import Town
from tests.wire.services.conftest import NUMBERS, People, Person


@contextlib.contextmanager
def diverted(town: Town, person: Person, code: str, cancel: str) -> Iterator[None]:
    """Set by the phone, with the code of UK exchanges, which is confirmed in words."""
    dial_code(town, person, code)
    try:
        yield
    finally:
        dial_code(town, person, cancel)


def dial_code(town: Town, person: Person, code: str) -> None:
    call = person.phone.dial(town.uri(code.replace("#", "%23")))
    call.wait_for(CallState.CONFIRMED, timeout_s=5.0)
    call.wait_ended(timeout_s=20.0)


def test_call_forwarding_unconditional(town: Town, people: People) -> None:
    """2.7: Bob's calls go to Carol; his own phone does not ring."""
    alice, bob, carol = people("alice"), people("bob"), people("carol")
    with diverted(town, bob, f"*21*{carol.number}#", "#21#"):
        mark, bobs_mark = carol.phone.mark(), bob.phone.mark()
        call = alice.phone.dial(town.uri(bob.number))
        carols = carol.rings(after=mark)
        carols.answer()
        call.wait_for(CallState.CONFIRMED)
        assert bob.has_not_rung(after=bobs_mark)
        hang_up(call, carols)


def test_call_forwarding_busy(town: Town, people: People) -> None:
    """2.8: Bob says that he is busy, and Carol's phone rings."""
    alice, bob, carol = people("alice"), people("bob"), people("carol")
    with diverted(town, bob, f"*67*{carol.number}#", "#67#"):
        mark, bobs_mark = carol.phone.mark(), bob.phone.mark()
        call = alice.phone.dial(town.uri(bob.number))
        bob.rings(after=bobs_mark).answer(486)
        carols = carol.rings(after=mark)
        carols.answer()
        call.wait_for(CallState.CONFIRMED)
        hang_up(call, carols)


def test_call_forwarding_no_answer(town: Town, people: People) -> None:
    """2.9: Bob's phone rings its time, then Carol's does."""
    alice, bob, carol = people("alice"), people("bob"), people("carol")
    with diverted(town, bob, f"*61*{carol.number}*5#", "#61#"):
        mark, bobs_mark = carol.phone.mark(), bob.phone.mark()
        call = alice.phone.dial(town.uri(bob.number))
        bobs = bob.rings(after=bobs_mark)
        bobs.ring()
        carols = carol.rings(after=mark, timeout_s=10.0)
        bobs.wait_ended()
        carols.answer()
        call.wait_for(CallState.CONFIRMED)
        hang_up(call, carols)


def test_find_me(town: Town, people: People, registered: Callable[..., Phone]) -> None:
    """2.12: Bob is looked for at both his phones at once; the one that he takes has the call, the other falls
    silent."""
    alice = people("alice")
    desk, pocket = registered("bob", name="desk"), registered("bob", name="pocket")
    marks = desk.mark(), pocket.mark()
    call = alice.phone.dial(town.uri(NUMBERS["bob"]))
    at_desk, in_pocket = desk.expect_call(after=marks[0]), pocket.expect_call(after=marks[1])
    at_desk.ring()
    in_pocket.answer()
    call.wait_for(CallState.CONFIRMED)
    at_desk.wait_ended()
    hang_up(call, in_pocket)
