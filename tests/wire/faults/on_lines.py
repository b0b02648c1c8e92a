"""Faults of phones and their registrations: those of the customer's own equipment, and what a line has set."""

import time

from demo.phone import Phone, PhoneCall
from demo.phone_messages import CallState
from tests.wire.faults import scripts
from tests.wire.faults.desk import Desk
from tests.wire.faults.fault import Fault, dial

SHORT_S = 2
# A registration is dropped at the first look after its time.
EXPIRED_S = 4.0


def wrong_password(desk: Desk) -> str:
    """Somebody has typed the password wrong; then the line is called."""
    with desk.phone("typo", is_registered=False, password="not-the-password") as phone:
        phone.try_to_register()
    return calls_in_vain(desk, "typo", 480)


def wrong_user_name(desk: Desk) -> str:
    """The phone logs in under a name that is no line; the line that it should be is called."""
    with desk.phone("nobody-here", is_registered=False) as phone:
        phone.try_to_register()
    return calls_in_vain(desk, "misnamed", 480)


def unregistered(desk: Desk) -> str:
    """A phone that somebody has switched off in good order."""
    with desk.phone("left") as phone:
        phone.unregister()
        return calls_in_vain(desk, "left", 480)


def expired(desk: Desk) -> str:
    """A phone that registered for two seconds and never came back."""
    with desk.sipp("expired-registers", scripts.registers(SHORT_S), user="expired") as run:
        run.finish()
    time.sleep(SHORT_S + EXPIRED_S)
    return calls_in_vain(desk, "expired", 480)


def phone_gone(desk: Desk) -> str:
    """The plug of a registered phone is pulled: every INVITE stays without an answer."""
    with desk.phone("unplugged") as phone:
        phone.kill()
        return dial(desk, "alice", desk.number("unplugged"), scripts.dials(), scripts.hears(408))


def phone_gone_in_a_call(desk: Desk) -> str:
    """The plug is pulled while it talks: the refreshes of its session timer stay without an answer."""
    with desk.phone("anna") as anna, desk.phone("cut-off") as phone:
        call, _ = connect_by_uri(desk, anna, "cut-off", phone)
        time.sleep(1.0)
        phone.kill()
        call.wait_ended(timeout_s=120.0)
        return call.sip_call_id


def refresh_unanswered(desk: Desk) -> str:
    """A phone that takes the call and answers nothing afterwards, though its sound goes on."""
    with desk.sipp_phone(
        "deaf",
        scripts.is_called(),
        scripts.answers(180, "Ringing"),
        scripts.takes_call(),
        scripts.pause(140.0),
    ):
        return dial(
            desk,
            "alice",
            desk.number("deaf"),
            scripts.dials(offer=scripts.spoken_offer(), headers="Session-Expires: 90\nSupported: timer\n"),
            scripts.hears(200),
            scripts.acknowledges(),
            scripts.plays_sound(),
            answers_refreshes(),
            seconds=140,
        )


def answers_refreshes() -> str:
    """UPDATEs or a BYE, whichever comes."""
    return "\n".join(
        [
            '<label id="1"/>',
            '<recv request="UPDATE" optional="true" next="2"/>',
            '<recv request="BYE"/>',
            scripts.answers_request(),
            '<nop next="3"/>',
            '<label id="2"/>',
            scripts.answers_request(),
            '<nop next="1"/>',
            '<label id="3"/>',
            scripts.pause(0.1),
        ]
    )


def phone_refuses(desk: Desk) -> str:
    """A phone that says that it has failed."""
    return _refused_by_phone(desk, "broken", 500)


def phone_forbids(desk: Desk) -> str:
    """A phone that takes calls of nobody it does not know."""
    return _refused_by_phone(desk, "choosy", 403)


def _refused_by_phone(desk: Desk, user: str, status: int) -> str:
    with desk.phone("anna") as anna, desk.phone(user) as phone:
        mark = phone.mark()
        call = anna.dial(desk.uri(desk.number(user)))
        phone.expect_call(after=mark).answer(status)
        call.wait_ended()
        return call.sip_call_id


def no_codec_in_common(desk: Desk) -> str:
    """A caller with nothing but G.729, and a phone without it."""
    with desk.phone("plain-codecs"):
        return dial(
            desk,
            "alice",
            desk.number("plain-codecs"),
            scripts.dials(offer=scripts.sdp(codecs=scripts.G729_ONLY)),
            scripts.hears(488),
        )


def transferred_nowhere(desk: Desk) -> str:
    """A caller transfers to a number that nobody has."""
    with desk.phone("anna") as anna, desk.phone("transfers") as phone:
        call, theirs = connect_by_uri(desk, anna, "transfers", phone)
        time.sleep(1.0)
        theirs.transfer(desk.uri(desk.behind("says_404")))
        theirs.wait_transferred()
        time.sleep(1.0)
        theirs.hang_up()
        call.wait_ended()
        return call.sip_call_id


def anonymous_rejected(desk: Desk) -> str:
    """The line takes no calls without a number, and the caller withholds it."""
    with desk.sipp_phone("rejects", scripts.is_called()):
        return dial(desk, "alice", f"141{desk.number('rejects')}", scripts.dials(), scripts.hears(433))


def undisturbed_by_setting(desk: Desk) -> str:
    """The line's own "do not disturb" at the exchange."""
    return calls_in_vain(desk, "asleep", 480)


def calls_in_vain(desk: Desk, user: str, status: int) -> str:
    return dial(desk, "alice", desk.number(user), scripts.dials(), scripts.hears(status))


def connect_by_uri(desk: Desk, caller: Phone, user: str, phone: Phone) -> tuple[PhoneCall, PhoneCall]:
    mark = phone.mark()
    call = caller.dial(desk.uri(desk.number(user)))
    theirs = phone.expect_call(after=mark)
    theirs.ring()
    theirs.answer()
    call.wait_for(CallState.CONFIRMED)
    theirs.wait_for(CallState.CONFIRMED)
    return call, theirs


EQUIPMENT = "customer's equipment"
USE = "customer's use"

FAULTS = (
    Fault(make=wrong_password, named=("wrong-password",), where=EQUIPMENT, software="pjsua2, SIPp"),
    Fault(make=wrong_user_name, named=("not-registered",), where=EQUIPMENT, software="pjsua2, SIPp"),
    Fault(make=unregistered, named=("phone-switched-off",), where=EQUIPMENT, software="pjsua2, SIPp"),
    Fault(make=expired, named=("registration-expired",), where=EQUIPMENT, software="SIPp"),
    Fault(make=phone_gone, named=("phone-silent",), where=EQUIPMENT, software="pjsua2, SIPp"),
    Fault(make=phone_gone_in_a_call, named=("phone-vanished",), where=EQUIPMENT, software="pjsua2"),
    Fault(make=refresh_unanswered, named=("phone-vanished",), where=EQUIPMENT, software="SIPp"),
    Fault(make=phone_refuses, named=("phone-rejects",), where=EQUIPMENT, software="pjsua2"),
    Fault(make=phone_forbids, named=("phone-rejects",), where=EQUIPMENT, software="pjsua2"),
    Fault(make=no_codec_in_common, named=("codec-phone",), where=EQUIPMENT, software="pjsua2, SIPp"),
    Fault(make=transferred_nowhere, named=("transfer-failed",), where=USE, software="pjsua2, SIPp"),
    Fault(make=anonymous_rejected, named=("anonymous-refused",), where=USE, software="SIPp"),
    Fault(make=undisturbed_by_setting, named=("do-not-disturb",), where=USE, software="SIPp"),
)
