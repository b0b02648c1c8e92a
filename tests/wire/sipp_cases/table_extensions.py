"""Extensions: UPDATE, reliable provisionals, session timers, registering with a carrier."""

from sipp_scenarios.scenarios import answered
from tests.wire.sipp_cases.case import Case, Part, Seat
from tests.wire.sipp_cases.edits import each, first
from tests.wire.sipp_cases.files import DRACHTIO, FREESWITCH, PJPROJECT, UAS_SUCCESS, line, phone

NO_TIMER_YET = "session timers (RFC 4028) are not there yet"
NO_100REL_YET = "reliable provisional responses (RFC 3262) are not there yet"
NO_UPDATE_YET = "UPDATE (RFC 3311) is not there yet"
NO_REGISTRATION_YET = "trunks that register (RFC 3261 10.2) are not there yet"
EXPIRES = "407 INVITE, 180 INVITE, 200 INVITE, BYE"

EXTENSIONS = (
    Case(
        id="se-1",
        caller=line(
            f"{DRACHTIO}uac-session-expires.xml", EXPIRES, must_hear=("Session-Expires: 90;refresher=uac",)
        ),
        callees=(phone(UAS_SUCCESS),),
        legs=answered(0.0),
        timeout_s=80,
        fails_until=NO_TIMER_YET,
    ),
    Case(
        id="se-2",
        caller=line(f"{DRACHTIO}uac-session-expires-no-refresher.xml", EXPIRES),
        callees=(phone(UAS_SUCCESS),),
        legs=answered(0.0),
        timeout_s=80,
        fails_until=NO_TIMER_YET,
    ),
    Case(
        id="se-3",
        caller=line(f"{DRACHTIO}uac-session-expires-no-refresher-default.xml"),
        callees=(phone(UAS_SUCCESS),),
        legs=answered(1.5),
    ),
    Case(
        id="prack",
        caller=line(f"{DRACHTIO}uac.xml"),
        callees=(phone(f"{DRACHTIO}uas-prack.xml", "INVITE, PRACK, ACK, BYE"),),
        legs=answered(1.0),
        fails_until=NO_100REL_YET,
    ),
    Case(
        id="update-early",
        caller=line(
            f"{DRACHTIO}uac-update-during-invite.xml",
            "407 INVITE, 183 INVITE, 500 UPDATE, 200 INVITE, 200 BYE",
            edits=(
                first('<recv response="200" rtd="true">', '<recv response="500" rtd="true">'),
                each('"3000"', '"1000"'),
            ),
            must_hear=("(?i)\nRetry-After: ",),
        ),
        callees=(phone(f"{DRACHTIO}uas-183-recv-update.xml", edits=(each('"5000"', '"1000"'),)),),
        legs=answered(1.0),
        fails_until=NO_UPDATE_YET,
        why="the offer of the INVITE is still open, as its 183 was not reliable: 500 with Retry-After (RFC 3311 5.2)",
    ),
    Case(
        id="update-early-b",
        caller=line(f"{DRACHTIO}uac.xml", "407 INVITE, 183 INVITE, 200 INVITE, 200 BYE"),
        callees=(
            phone(
                f"{DRACHTIO}uas-183-send-update.xml",
                "INVITE, PRACK, 200 UPDATE, ACK, BYE",
                edits=(each("sip:sipp@127.0.0.1:5090", "sip:127.0.0.1:@PORT@"), each('"2000"', '"500"')),
            ),
        ),
        legs=answered(1.0),
        fails_until=NO_UPDATE_YET,
    ),
    Case(
        id="p-uas-auth",
        registrar=Part(file=f"{PJPROJECT}uas-auth.xml", seat=Seat.CARRIER, hears="REGISTER, REGISTER"),
        fails_until=NO_REGISTRATION_YET,
    ),
    Case(
        id="fs-reg",
        registrar=Part(file=f"{FREESWITCH}uas_register.xml", seat=Seat.CARRIER, hears="REGISTER, REGISTER"),
        fails_until=NO_REGISTRATION_YET,
    ),
    Case(
        id="fs-reg-403",
        registrar=Part(
            file=f"{FREESWITCH}uas_register_403.xml",
            seat=Seat.CARRIER,
            hears="REGISTER, REGISTER",
            edits=(each("</scenario>", '<pause milliseconds="5000"/>\n</scenario>'),),
        ),
        fails_until=NO_REGISTRATION_YET,
    ),
)
