"""Two hundred calls of all kinds that nobody would complain about: most by SIPp, some by pjsua2 with sound both ways.

Each function makes its calls and has them ended; how many they are is in KINDS. SIPp callers fail the test where their
calls do not go as their script says.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import msgspec

from demo.phone import Phone, PhoneCall
from demo.phone_messages import CallState
from provisioning.model import DivertCondition, DivertKind
from sipp_scenarios.exchange import HOST
from tests.wire.faults import scripts
from tests.wire.faults.desk import CALLING_CARRIERS, Desk
from tests.wire.phones.calling import hang_up, hold, resume, wait_until_heard

IPV6: Final = "::1"
# The explanation judges sound that lasted so long.
SOUND_S: Final = 4.5
AT_ONCE: Final = 10
RINGS_S: Final = 2.0
CALLS_S: Final = 120


class Kind(msgspec.Struct, frozen=True):
    """`make` makes so many calls, one record each of what the caller did."""

    make: Callable[[Desk], None]
    calls: int

    @property
    def name(self) -> str:
        return self.make.__name__


# SIPp with SIPp


def line_to_line(desk: Desk) -> None:
    with _answering(desk, "good-0"):
        _call(desk, line_to_line, desk.number("good-0"), *_talk(3.0))


def short_but_good(desk: Desk) -> None:
    with _answering(desk, "good-1"):
        _call(desk, short_but_good, desk.number("good-1"), *_talk(1.5))


def to_carrier(desk: Desk) -> None:
    _call(desk, to_carrier, desk.behind("takes"), *_talk(3.0))


def by_the_second_carrier(desk: Desk) -> None:
    """The first says 503 at once, and nobody notices."""
    _call(desk, by_the_second_carrier, desk.behind("one_fails"), *_talk(2.0))


def early_media(desk: Desk) -> None:
    _call(desk, early_media, desk.behind("early"), *_talk(2.0))


def from_carrier(desk: Desk) -> None:
    with _answering(desk, "good-2"):
        _call(
            desk,
            from_carrier,
            desk.numbers["good-2"],
            scripts.dials(logs_in=False, shown="+442079460999", offer=scripts.spoken_offer()),
            scripts.hears(200),
            scripts.acknowledges(1),
            scripts.plays_sound(),
            scripts.pause(3.0),
            scripts.hangs_up(2),
            host=CALLING_CARRIERS,
        )


def hung_up_by_callee(desk: Desk) -> None:
    steps = (
        scripts.is_called(),
        scripts.answers(180, "Ringing"),
        scripts.takes_call(),
        scripts.pause(2.5),
        scripts.callee_hangs_up(),
    )
    with desk.sipp_phone("good-3", *steps, calls=_count(hung_up_by_callee)):
        _call(
            desk,
            hung_up_by_callee,
            desk.number("good-3"),
            scripts.dials(offer=scripts.spoken_offer()),
            scripts.hears(200),
            scripts.acknowledges(),
            scripts.plays_sound(),
            scripts.is_hung_up(),
        )


def busy(desk: Desk) -> None:
    with desk.sipp_phone(
        "good-4", scripts.is_called(), scripts.refuses_call(486, "Busy Here"), calls=_count(busy)
    ):
        _call(desk, busy, desk.number("good-4"), scripts.dials(), scripts.hears(486))


def busy_at_the_other_network(desk: Desk) -> None:
    _call(desk, busy_at_the_other_network, desk.behind("busy"), scripts.dials(), scripts.hears(486))


def declined(desk: Desk) -> None:
    steps = (
        scripts.is_called(),
        scripts.answers(180, "Ringing"),
        scripts.pause(RINGS_S),
        scripts.refuses_call(603, "Decline"),
    )
    with desk.sipp_phone("good-5", *steps, calls=_count(declined)):
        _call(desk, declined, desk.number("good-5"), scripts.dials(), scripts.hears(603))


def cancelled(desk: Desk) -> None:
    """The caller changes his mind while it rings."""
    steps = (scripts.is_called(), scripts.answers(180, "Ringing"), scripts.is_cancelled())
    with desk.sipp_phone("good-6", *steps, calls=_count(cancelled)):
        _call(
            desk,
            cancelled,
            desk.number("good-6"),
            scripts.dials(),
            scripts.hears_ringing(),
            scripts.pause(RINGS_S),
            scripts.cancels(),
        )


def not_answered(desk: Desk) -> None:
    """It rings as long as it may."""
    steps = (scripts.is_called(), scripts.answers(180, "Ringing"), scripts.is_cancelled())
    with desk.sipp_phone("good-7", *steps, calls=_count(not_answered)):
        _call(desk, not_answered, desk.number("good-7"), scripts.dials(), scripts.hears(480))


def diverted(desk: Desk) -> None:
    desk.divert("good-8", DivertCondition.ALL, to="good-9", kind=DivertKind.LINE)
    time.sleep(1.5)
    with _answering(desk, "good-9", calls=_count(diverted)):
        _call(desk, diverted, desk.number("good-8"), *_talk(2.0))


def diverted_when_busy(desk: Desk) -> None:
    """To a number of another network."""
    desk.divert("good-10", DivertCondition.BUSY, to=desk.behind("takes"))
    time.sleep(1.5)
    steps = (scripts.is_called(), scripts.refuses_call(486, "Busy Here"))
    with desk.sipp_phone("good-10", *steps, calls=_count(diverted_when_busy)):
        _call(desk, diverted_when_busy, desk.number("good-10"), *_talk(2.0))


def diverted_to_somebody_busy(desk: Desk) -> None:
    """All calls of a line without a phone go to another network, where it is busy."""
    desk.divert("good-26", DivertCondition.ALL, to=desk.behind("busy"))
    time.sleep(1.5)
    _call(desk, diverted_to_somebody_busy, desk.number("good-26"), scripts.dials(), scripts.hears(480))


def to_voicemail(desk: Desk) -> None:
    """Nobody is there, and a message is left."""
    desk.divert("good-11", DivertCondition.UNREACHABLE, to="", kind=DivertKind.VOICEMAIL)
    time.sleep(1.5)
    _call(desk, to_voicemail, desk.number("good-11"), *_talk(6.0))


def late_offer(desk: Desk) -> None:
    """The caller's description comes with the ACK."""
    with _answering(desk, "good-12", calls=_count(late_offer)):
        _call(
            desk,
            late_offer,
            desk.number("good-12"),
            scripts.dials(offer=""),
            scripts.hears(200),
            scripts.acknowledges(body=scripts.spoken_offer()),
            scripts.plays_sound(),
            scripts.pause(2.0),
            scripts.hangs_up(),
        )


def on_two_phones(desk: Desk) -> None:
    """Both ring; one takes the call, the other is told that somebody has it."""
    count = _count(on_two_phones)
    other = (scripts.is_called(), scripts.answers(180, "Ringing"), scripts.is_cancelled())
    with desk.sipp_phone("good-13", *other, calls=count), _answering(desk, "good-13", calls=count):
        _call(desk, on_two_phones, desk.number("good-13"), *_talk(2.0))


def without_number(desk: Desk) -> None:
    """The caller withholds it."""
    with _answering(desk, "good-14", calls=_count(without_number)):
        _call(desk, without_number, f"141{desk.number('good-14')}", *_talk(2.0))


def emergency(desk: Desk) -> None:
    _call(desk, emergency, "999", *_talk(2.0))


def by_ipv6(desk: Desk) -> None:
    with _answering(desk, "good-15", calls=_count(by_ipv6), host=IPV6):
        _call(desk, by_ipv6, desk.number("good-15"), *_talk(2.0), host=IPV6)


# pjsua2, with sound both ways


def talked(desk: Desk) -> None:
    with _phones(desk, "good-alice", "good-bob") as (alice, bob):
        for _ in range(_count(talked)):
            call, theirs = connect(desk, alice, desk.number("good-bob"), bob)
            _hear_each_other(call, theirs)
            time.sleep(SOUND_S)
            hang_up(call, theirs)


def held(desk: Desk) -> None:
    """Hold, music, and back again."""
    with _phones(desk, "good-carol", "good-dave") as (carol, dave):
        for _ in range(_count(held)):
            call, theirs = connect(desk, carol, desk.number("good-dave"), dave)
            _hear_each_other(call, theirs)
            hold(theirs, call)
            time.sleep(1.5)
            resume(theirs, call)
            time.sleep(SOUND_S)
            hang_up(theirs, call)


def transferred(desk: Desk) -> None:
    """Blind: the callee sends the caller on, and leaves."""
    with _phones(desk, "good-erin", "good-frank", "good-16") as (erin, frank, third):
        for _ in range(_count(transferred)):
            call, theirs = connect(desk, erin, desk.number("good-frank"), frank)
            time.sleep(1.0)
            mark = third.mark()
            theirs.transfer(desk.uri(desk.number("good-16")))
            thirds = third.expect_call(after=mark)
            thirds.answer()
            thirds.wait_for(CallState.CONFIRMED)
            theirs.wait_transferred()
            theirs.hang_up()
            theirs.wait_ended()
            _hear_each_other(call, thirds)
            time.sleep(SOUND_S)
            hang_up(call, thirds)


def transferred_attended(desk: Desk) -> None:
    """The callee asks a third first: two calls each time."""
    with _phones(desk, "good-grace", "good-heidi", "good-17") as (grace, heidi, third):
        for _ in range(_count(transferred_attended) // 2):
            call, theirs = connect(desk, grace, desk.number("good-heidi"), heidi)
            hold(theirs, call)
            question, thirds = connect(desk, heidi, desk.number("good-17"), third)
            time.sleep(1.0)
            theirs.transfer_to(question)
            theirs.wait_transferred()
            question.wait_ended()
            time.sleep(SOUND_S)
            hang_up(call, thirds)


def keys_pressed(desk: Desk) -> None:
    with _phones(desk, "good-18", "good-19") as (one, other):
        for _ in range(_count(keys_pressed)):
            call, theirs = connect(desk, one, desk.number("good-19"), other)
            _hear_each_other(call, theirs)
            call.press("1234#")
            time.sleep(SOUND_S)
            hang_up(call, theirs)


def reliable_ringing(desk: Desk) -> None:
    """PRACK on both sides (RFC 3262)."""
    with _phones(desk, "good-20", "good-21", requires_100rel=True) as (one, other):
        for _ in range(_count(reliable_ringing)):
            call, theirs = connect(desk, one, desk.number("good-21"), other)
            _hear_each_other(call, theirs)
            time.sleep(SOUND_S)
            hang_up(call, theirs)


def behind_nat(desk: Desk) -> None:
    """A phone that names an inner address, and whose sound arrives all the same: the relay hears where it is."""
    with _phones(desk, "good-22", "good-23", claimed_media_host="10.20.30.40") as (one, other):
        for _ in range(_count(behind_nat)):
            call, theirs = connect(desk, one, desk.number("good-23"), other)
            _hear_each_other(call, theirs)
            time.sleep(SOUND_S)
            hang_up(call, theirs)


def does_not_disturb(desk: Desk) -> None:
    """Busy at once: a phone in "do not disturb", which is no fault."""
    with _phones(desk, "good-24", "good-25") as (one, other):
        for _ in range(_count(does_not_disturb)):
            mark = other.mark()
            call = one.dial(desk.uri(desk.number("good-25")))
            other.expect_call(after=mark).answer(486)
            call.wait_ended()


KINDS: Final = (
    Kind(line_to_line, 20),
    Kind(short_but_good, 15),
    Kind(to_carrier, 20),
    Kind(by_the_second_carrier, 5),
    Kind(early_media, 10),
    Kind(from_carrier, 20),
    Kind(hung_up_by_callee, 10),
    Kind(busy, 10),
    Kind(busy_at_the_other_network, 5),
    Kind(declined, 10),
    Kind(cancelled, 15),
    Kind(not_answered, 5),
    Kind(diverted, 10),
    Kind(diverted_when_busy, 5),
    Kind(diverted_to_somebody_busy, 3),
    Kind(to_voicemail, 5),
    Kind(late_offer, 10),
    Kind(on_two_phones, 10),
    Kind(without_number, 5),
    Kind(emergency, 5),
    Kind(by_ipv6, 5),
    Kind(talked, 6),
    Kind(held, 4),
    Kind(transferred, 3),
    Kind(transferred_attended, 6),
    Kind(keys_pressed, 4),
    Kind(reliable_ringing, 4),
    Kind(behind_nat, 4),
    Kind(does_not_disturb, 2),
)
_COUNTS: Final = {kind.name: kind.calls for kind in KINDS}


def _count(make: Callable[[Desk], None]) -> int:
    return _COUNTS[make.__name__]


def _talk(seconds: float) -> tuple[str, ...]:
    """A line that calls, is answered, speaks and hangs up."""
    return (
        scripts.dials(offer=scripts.spoken_offer()),
        scripts.hears(200),
        scripts.acknowledges(),
        scripts.plays_sound(),
        scripts.pause(seconds),
        scripts.hangs_up(),
    )


def _call(desk: Desk, make: Callable[[Desk], None], dialled: str, *steps: str, host: str = HOST) -> None:
    """One SIPp with all callers of this kind; SippError unless all of them went as the script says."""
    with desk.sipp(
        make.__name__,
        *steps,
        user="brings" if host == CALLING_CARRIERS else "alice",
        dialled=dialled,
        call_id=f"%u-{make.__name__}-{desk.port}@example.com",
        host=host,
        calls=_count(make),
        at_once=AT_ONCE,
        seconds=CALLS_S,
    ) as run:
        run.finish()


@contextmanager
def _answering(desk: Desk, user: str, *, calls: int = 20, host: str = HOST) -> Iterator[None]:
    """A SIPp phone that rings, answers and echoes what it hears."""
    steps = (
        scripts.is_called(),
        scripts.answers(180, "Ringing"),
        scripts.pause(0.3),
        scripts.takes_call(),
        scripts.is_hung_up(),
    )
    with desk.sipp_phone(user, *steps, calls=calls, host=host):
        yield


@contextmanager
def _phones(desk: Desk, *users: str, **settings: object) -> Iterator[list[Phone]]:
    with ExitStack() as started:
        yield [started.enter_context(desk.phone(user, **settings)) for user in users]


def connect(desk: Desk, caller: Phone, dialled: str, callee: Phone) -> tuple[PhoneCall, PhoneCall]:
    mark = callee.mark()
    call = caller.dial(desk.uri(dialled))
    theirs = callee.expect_call(after=mark)
    theirs.ring()
    theirs.answer()
    call.wait_for(CallState.CONFIRMED)
    theirs.wait_for(CallState.CONFIRMED)
    return call, theirs


def _hear_each_other(call: PhoneCall, theirs: PhoneCall) -> None:
    wait_until_heard(call)
    wait_until_heard(theirs)
