"""What two phones do in most tests: ring, answer, talk, hang up."""

import time

from demo.ladder import summary
from demo.phone import Phone, PhoneCall
from demo.phone_messages import CallState, MediaState, SipSeen
from tests.wire.phones.town import POLL_S, Town

TALK_S = 0.3
AUDIO_TIMEOUT_S = 5.0


def ring(town: Town, caller: Phone, dialled: str, callee: Phone) -> tuple[PhoneCall, PhoneCall]:
    """The caller dials; both phones are ringing when this returns."""
    mark = callee.mark()
    call = caller.dial(town.uri(dialled))
    theirs = callee.expect_call(after=mark)
    theirs.ring()
    call.wait_for(CallState.EARLY)
    return call, theirs


def connect(town: Town, caller: Phone, dialled: str, callee: Phone) -> tuple[PhoneCall, PhoneCall]:
    """The caller dials, the callee answers; both are talking when this returns."""
    call, theirs = ring(town, caller, dialled, callee)
    theirs.answer()
    call.wait_for(CallState.CONFIRMED)
    theirs.wait_for(CallState.CONFIRMED)
    return call, theirs


def hang_up(call: PhoneCall, other: PhoneCall) -> None:
    call.hang_up()
    call.wait_ended()
    other.wait_ended()


def hold(holds: PhoneCall, held: PhoneCall) -> None:
    marks = (holds.phone.mark(), held.phone.mark())
    holds.hold()
    holds.wait_for_media(MediaState.HELD_HERE, after=marks[0])
    held.wait_for_media(MediaState.HELD_THERE, after=marks[1])


def resume(holds: PhoneCall, held: PhoneCall) -> None:
    marks = (holds.phone.mark(), held.phone.mark())
    holds.resume()
    holds.wait_for_media(MediaState.ACTIVE, after=marks[0])
    held.wait_for_media(MediaState.ACTIVE, after=marks[1])


def talk(seconds: float = TALK_S) -> None:
    """Time is what a call is made of; nothing else is waited for with it."""
    time.sleep(seconds)


def wait_until_heard(call: PhoneCall, *, more_than: int = 0) -> None:
    """Until the phone has received more RTP packets than so many."""
    deadline = time.monotonic() + AUDIO_TIMEOUT_S
    while call.count_audio().received <= more_than:
        assert time.monotonic() < deadline, f"{call.phone.name} hears nothing"
        time.sleep(POLL_S)


def received(phone: Phone, beginning: str, *, sip_call_id: str = "") -> list[SipSeen]:
    """Messages that came to the phone and begin so (of one call, when it is named)."""
    return _seen(phone, beginning, sip_call_id, is_sent=False)


def sent(phone: Phone, beginning: str, *, sip_call_id: str = "") -> list[SipSeen]:
    return _seen(phone, beginning, sip_call_id, is_sent=True)


def header(message: SipSeen, name: str) -> str | None:
    """The first field of that name, None without one."""
    for line in message.text.replace("\r\n", "\n").split("\n\n")[0].split("\n")[1:]:
        found, _, value = line.partition(":")
        if found.strip().lower() == name.lower():
            return value.strip()
    return None


def _seen(phone: Phone, beginning: str, sip_call_id: str, *, is_sent: bool) -> list[SipSeen]:
    return [
        seen
        for seen in phone.trace
        if seen.is_sent is is_sent
        and seen.text.startswith(beginning)
        and sip_call_id in ("", summary(seen.text).call_id)
    ]
