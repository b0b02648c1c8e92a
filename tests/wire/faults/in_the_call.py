"""Faults of a call that is up: lost ACKs, sound that does not arrive or arrives badly, a switch that is killed."""

import contextlib
import threading
import time
from collections.abc import Iterator

from demo.phone import Phone
from demo.phone_messages import CallState
from tests.wire.faults import scripts
from tests.wire.faults.desk import CALLING_CARRIERS, Desk
from tests.wire.faults.fault import Fault, dial
from tests.wire.faults.speaker import Speaker

EQUIPMENT = "customer's equipment"
OTHER = "another operator"
OURS = "our network"
PRIVATE_HOST = "10.20.30.40"
TALK_S = 6.0
# When a 200 without an ACK is sent again, until 64*T1 (RFC 3261 13.3.1.4).
REPEATS_S = (0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0)
# What is lost is measured over some hundreds of packets.
BAD_SOUND_S = 12.0


def ack_never_sent(desk: Desk) -> str:
    """A caller whose ACK gets lost: the exchange repeats its 200 and gives up after 32 s."""
    return dial(
        desk,
        "alice",
        desk.behind("takes"),
        scripts.dials(offer=scripts.spoken_offer()),
        scripts.hears(200),
        scripts.plays_sound(),
        scripts.is_hung_up(),
        seconds=60,
    )


def ack_never_arrives(desk: Desk) -> str:
    """A phone whose router drops our ACK: it repeats its 200 for 32 s, and hangs up (RFC 3261 13.3.1.4)."""
    with desk.sipp_phone(
        "behind-alg",
        scripts.is_called(),
        scripts.answers(180, "Ringing"),
        *(_answer_unheard(number, wait_s) for number, wait_s in enumerate(REPEATS_S)),
        scripts.callee_hangs_up(),
    ):
        return dial(
            desk,
            "alice",
            desk.number("behind-alg"),
            scripts.dials(offer=scripts.spoken_offer()),
            scripts.hears(200),
            scripts.acknowledges(),
            scripts.plays_sound(),
            scripts.is_hung_up(),
            seconds=60,
        )


def private_address_in_sdp(desk: Desk) -> str:
    """A phone behind NAT that names its inner address, and whose sound never reaches us."""
    return _one_way(desk, "private", scripts.sdp(host=PRIVATE_HOST))


def no_sound_from_phone(desk: Desk) -> str:
    """A phone that is heard of by SIP only: a firewall stops its sound."""
    return _one_way(desk, "mute", scripts.sdp(host="127.0.0.1", port="9"))


def no_sound_from_carrier(desk: Desk) -> str:
    """The same of a carrier that brings a call."""
    offer = scripts.sdp(host=CALLING_CARRIERS, port="9")
    with desk.phone("listens") as phone, _answering(phone):
        return dial(
            desk,
            "brings",
            desk.numbers["listens"],
            scripts.dials(logs_in=False, shown="+442079460999", offer=offer),
            scripts.hears(200),
            scripts.acknowledges(1),
            scripts.pause(TALK_S),
            scripts.hangs_up(2),
            host=CALLING_CARRIERS,
        )


def five_percent_lost(desk: Desk) -> str:
    """Every twentieth packet of a phone is lost on its way, as in a bad Wi-Fi."""
    return _bad_sound(desk, "lossy", Speaker(drops_every=20))


def much_jitter(desk: Desk) -> str:
    """The packets of a phone are up to 200 ms late, each by its own."""
    return _bad_sound(desk, "uneven", Speaker(late_s=0.2))


def switch_killed(desk: Desk) -> str:
    """kill -9 while two phones talk; the last of all, as every call meets it."""
    with desk.phone("anna") as anna, desk.phone("talks-on") as phone:
        mark = phone.mark()
        call = anna.dial(desk.uri(desk.number("talks-on")))
        theirs = phone.expect_call(after=mark)
        theirs.answer()
        call.wait_for(CallState.CONFIRMED)
        theirs.wait_for(CallState.CONFIRMED)
        time.sleep(3.0)
        sip_call_id = call.sip_call_id
        desk.kill_switch()
        call.wait_ended()
        theirs.wait_ended()
        return sip_call_id


def _one_way(desk: Desk, user: str, body: str) -> str:
    """An honest caller with sound, a callee without."""
    with desk.sipp_phone(
        user,
        scripts.is_called(),
        scripts.answers(180, "Ringing"),
        scripts.takes_call(body=body),
        scripts.is_hung_up(),
        echoes=False,
    ):
        return dial(
            desk,
            "alice",
            desk.number(user),
            scripts.dials(offer=scripts.spoken_offer()),
            scripts.hears(200),
            scripts.acknowledges(),
            scripts.plays_sound(),
            scripts.pause(TALK_S),
            scripts.hangs_up(),
        )


def _bad_sound(desk: Desk, user: str, speaker: Speaker) -> str:
    with (
        speaker,
        desk.sipp_phone(
            user,
            scripts.is_called(),
            scripts.answers(180, "Ringing"),
            scripts.takes_call(body=scripts.sdp(host="127.0.0.1", port=str(speaker.port))),
            scripts.is_hung_up(),
            echoes=False,
        ),
        desk.phone("anna") as anna,
    ):
        call = anna.dial(desk.uri(desk.number(user)))
        call.wait_for(CallState.CONFIRMED)
        time.sleep(BAD_SOUND_S)
        call.hang_up()
        call.wait_ended()
        return call.sip_call_id


def _answer_unheard(number: int, wait_s: float) -> str:
    """A 200, and the time in which every ACK is lost."""
    return "\n".join(
        [
            scripts.answers(200, "OK", body=scripts.sdp()),
            f'<recv request="ACK" lost="100" timeout="{wait_s * 1000:.0f}" ontimeout="repeat-{number}"/>',
            f'<label id="repeat-{number}"/>',
        ]
    )


@contextlib.contextmanager
def _answering(phone: Phone) -> Iterator[None]:
    """The phone takes its next call."""
    mark = phone.mark()

    def answer() -> None:
        call = phone.expect_call(after=mark, timeout_s=20.0)
        call.answer()

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield
    thread.join()


FAULTS = (
    Fault(make=ack_never_sent, named=("ack-lost-caller",), where=EQUIPMENT, software="SIPp"),
    Fault(make=ack_never_arrives, named=("ack-lost-callee",), where=EQUIPMENT, software="SIPp"),
    Fault(
        make=private_address_in_sdp,
        named=("one-way-audio-private-address",),
        where=EQUIPMENT,
        software="SIPp",
    ),
    Fault(make=no_sound_from_phone, named=("one-way-audio-from-phone",), where=EQUIPMENT, software="SIPp"),
    Fault(
        make=no_sound_from_carrier,
        named=("one-way-audio-from-carrier",),
        where=OTHER,
        software="pjsua2, SIPp",
    ),
    Fault(make=five_percent_lost, named=("loss-phone",), where=EQUIPMENT, software="pjsua2, SIPp"),
    Fault(make=much_jitter, named=("jitter-phone",), where=EQUIPMENT, software="pjsua2, SIPp"),
)
# Every call that is up meets it: made when all others are over.
LAST_FAULT = Fault(make=switch_killed, named=("exchange-restarted",), where=OURS, software="pjsua2")
