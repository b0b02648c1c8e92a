"""linphone registers, calls, holds and hangs up, by UDP and TCP, with its own kind and with pjsua2."""

from collections.abc import Callable, Iterator

import pytest

from demo.phone import Phone
from demo.phone_messages import CallState, MediaState
from tests.wire.phones.linphone import Linphone, talk_hold_and_hang_up
from tests.wire.phones.town import LINES, Town

Starter = Callable[..., Linphone]
Registered = Callable[..., Phone]


@pytest.fixture
def linphone(town: Town) -> Iterator[Starter]:
    """Starts and registers one, and ends it after the test."""
    phones: list[Linphone] = []

    def start(user: str, transport: str = "udp") -> Linphone:
        phones.append(Linphone(town, user, transport=transport))
        phones[-1].start()
        phones[-1].register()
        return phones[-1]

    yield start
    for phone in phones:
        phone.stop()


@pytest.mark.parametrize(("caller", "callee"), [("udp", "tcp"), ("tcp", "udp")])
def test_two_of_them_talk_hold_and_hang_up(town: Town, linphone: Starter, caller: str, callee: str) -> None:
    carol, dave = linphone("carol", caller), linphone("dave", callee)
    sources = [town.registrations(user)[0]["source"] for user in ("carol", "dave")]
    assert [source.partition(":")[0] for source in sources] == [caller, callee]
    talk_hold_and_hang_up(carol, dave, "01632960004")


def test_it_gives_up_while_it_rings(linphone: Starter) -> None:
    carol, dave = linphone("carol"), linphone("dave")
    carol.dial("01632960004")
    dave.wait_for("IncomingReceived")
    carol.hang_up()
    for phone in (carol, dave):
        phone.wait_for("End")


def test_it_calls_a_pjsua2_phone_that_holds(linphone: Starter, registered: Registered) -> None:
    carol, bob = linphone("carol"), registered("bob", insists_on_one_codec=False)
    mark = bob.mark()
    carol.dial("01632960002")
    theirs = bob.expect_call(after=mark)
    assert LINES["carol"] in theirs.caller
    theirs.answer()
    theirs.wait_for(CallState.CONFIRMED)
    carol.wait_for("StreamsRunning")
    theirs.hold()
    carol.wait_for("PausedByRemote")
    theirs.wait_for_media(MediaState.HELD_HERE)
    held = bob.mark()
    theirs.resume()
    theirs.wait_for_media(MediaState.ACTIVE, after=held)
    carol.hang_up()
    theirs.wait_ended()
