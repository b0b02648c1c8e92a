"""Offers and answers: all bodies cross unread, so what is wrong with one is for the other end to say."""

from sipp_scenarios.scenarios import Leg, answered
from tests.wire.sipp_cases.case import Case
from tests.wire.sipp_cases.edits import Edit, each
from tests.wire.sipp_cases.files import (
    OUTSIDE,
    SAGHUL,
    UAC_BASIC,
    UAS_BASIC,
    carrier,
    failed,
    line,
    phone,
    trunk,
)

CALLS_US = "[service]@[remote_ip]:[remote_port]"
SAGHUL_IS_US = each("saghul@sip2sip.info", CALLS_US)
TEST_IS_US = each("saghul_test@sip2sip.info", CALLS_US)
# The five that a network passes on (ITU-T Q.732.2).
IN_ORDER = r"(?s)test_0@.*test_1@.*test_2@.*test_3@.*test_4@"
UNREAD = "what might be SDP crosses as it is (a B2BUA without media of its own), so the callee judges it"


def body_case(
    name: str, file: str, *must_cross: str, why: str = "", talk_s: float = 1.0, edit: Edit | None = None
) -> Case:
    """The callee must hear these lines of the offer."""
    return Case(
        id=name,
        caller=line(f"{SAGHUL}{file}.xml", edits=() if edit is None else (edit,)),
        callees=(trunk(UAS_BASIC, must_hear=must_cross),),
        legs=answered(talk_s, rate=OUTSIDE),
        why=why,
    )


BODIES = (
    body_case("late-offer", "uac_late_offer", r"(?s)INVITE sip:.*Content-Length: 0.*ACK sip:.*m=audio"),
    body_case("no-sdp", "uac_invite_no_sdp", r"(?s)INVITE .*Content-Length: 0", edit=TEST_IS_US),
    Case(
        id="sdp-broken-sdp",
        caller=line(f"{SAGHUL}uac_broken_sdp.xml", "407 INVITE, 488 INVITE", exits=1),
        legs=(Leg(outcome="broken_offer", sip_status=488, cause=65, ended_by="exchange"),),
        why="`v=` alone is no session description: 488; the script, made for a proxy, wants it to cross",
    ),
    Case(
        id="sdp-bogus-sdp",
        caller=line(f"{SAGHUL}uac_bogus_sdp.xml", "400 INVITE", exits=1),
        why="its Content-Length is more than the datagram holds: 400 (18.3)",
    ),
    body_case("sdp-bogus-codec", "uac_bogus_codec", "SAGHUL/8000"),
    body_case("sdp-no-c-line", "uac_no_c_line", r"s=-\r\nt=0 0", why=UNREAD),
    body_case("sdp-no-session-c-line", "uac_no_session_c_line", r"PCMU/8000|c=IN"),
    body_case(
        "sdp-no-c-line-multiple-streams",
        "uac_no_c_line_multiple_streams",
        "m=video 1234 RTP/AVP 0",
        why=UNREAD,
    ),
    body_case("sdp-no-rtpmap", "uac_no_rtpmap", "RTP/AVP 8 0 9 101", talk_s=0.0),
    body_case("sdp-wrong-format-type", "uac_wrong_format_type", "RTP/AVP 0 x", why=UNREAD),
    body_case("sdp-audio-video", "uac_audio_video", "MP4V-ES/90000"),
    body_case("sdp-dir-inactive", "uac_dir_inactive", "a=inactive", talk_s=5.0, edit=SAGHUL_IS_US),
    body_case("sdp-dir-sendonly", "uac_dir_sendonly", "a=sendonly", edit=TEST_IS_US),
    body_case("sdp-empty-subject", "uac_empty_subject", "s=SIPp"),
    Case(
        id="sdp-diversions",
        caller=carrier(f"{SAGHUL}uac_diversions.xml"),
        callees=(phone(UAS_BASIC, must_hear=(IN_ORDER,)),),
        legs=answered(1.0, rate=""),
    ),
    body_case("sdp-ice-without-rtcp", "uac_ice_without_rtcp", "raddr 192.168.99.53", edit=SAGHUL_IS_US),
    Case(
        id="200-no-sdp",
        caller=line(UAC_BASIC, "407 INVITE, 180 INVITE, 500 INVITE", exits=1),
        callees=(phone(f"{SAGHUL}uas_200_no_sdp.xml"),),
        legs=failed("failed", 500, 127),
        why="the caller's file knows no failure; an answer without a session is acknowledged and hung up, and the "
        "caller is told 500 (13.2.1 wants the answer in the 2xx)",
    ),
)
