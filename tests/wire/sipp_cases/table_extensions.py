"""Extensions: UPDATE, reliable provisionals, session timers, registering with a carrier."""

from sipp_scenarios.scenarios import answered
from tests.wire.sipp_cases.case import Case, Part, Seat
from tests.wire.sipp_cases.edits import each, first, last, pauses
from tests.wire.sipp_cases.files import DRACHTIO, FREESWITCH, PJPROJECT, UAS_SUCCESS, line, phone

NO_TIMER_YET = "session timers (RFC 4028) are not there yet"
NO_100REL_YET = "reliable provisional responses (RFC 3262) are not there yet"
NO_UPDATE_YET = "UPDATE (RFC 3311) is not there yet"
NO_REGISTRATION_YET = "trunks that register (RFC 3261 10.2) are not there yet"
# SIPp answers OPTIONS, by which we ask whether a callee is still there.
ANSWERS_OPTIONS = ("-aa",)
WHY_OPTIONS = "the callee answers OPTIONS, as every user agent must (11.2)"
EXPIRED = answered(60.0, ended_by="exchange", cause=102)
EXPIRES = "407 INVITE, 180 INVITE, 200 INVITE, BYE"

PRACKS_AND_TAKES_UPDATE = """<recv response="183"><action>
<ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" assign_to="1"/>
</action></recv>
<send retrans="500"><![CDATA[

PRACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: sipp <sip:sipp@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]
To: [service] <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 PRACK
RAck: [$1] 1 INVITE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"></recv>
<recv request="UPDATE"></recv>
<send><![CDATA[

SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=user1 53655765 2353687638 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=recvonly

]]></send>"""
KEEPS_THE_INVITE = """<action>
<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="4"/>
<ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="5"/>"""

EXTENSIONS = (
    Case(
        id="se-1",
        caller=line(
            f"{DRACHTIO}uac-session-expires.xml", EXPIRES, must_hear=("Session-Expires: 90;refresher=uac",)
        ),
        callees=(phone(UAS_SUCCESS, words=ANSWERS_OPTIONS),),
        legs=EXPIRED,
        timeout_s=72,
        fails_until=NO_TIMER_YET,
        why=WHY_OPTIONS,
    ),
    Case(
        id="se-2",
        caller=line(f"{DRACHTIO}uac-session-expires-no-refresher.xml", EXPIRES),
        callees=(phone(UAS_SUCCESS, words=ANSWERS_OPTIONS),),
        legs=EXPIRED,
        timeout_s=72,
        fails_until=NO_TIMER_YET,
        why=WHY_OPTIONS,
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
            "407 INVITE, 183 INVITE, 200 UPDATE, 200 INVITE, 200 BYE",
            edits=(pauses(3000, 1000),),
        ),
        callees=(phone(f"{DRACHTIO}uas-183-recv-update.xml", edits=(pauses(5000, 1000),)),),
        legs=answered(1.0),
        fails_until=NO_UPDATE_YET,
    ),
    Case(
        id="update-early-b",
        caller=line(
            f"{DRACHTIO}uac.xml",
            "407 INVITE, 183 INVITE, 200 PRACK, UPDATE, 200 INVITE, 200 BYE",
            edits=(
                first(
                    "Max-Forwards: 70",
                    "Max-Forwards: 70\nSupported: 100rel\nAllow: INVITE, ACK, BYE, PRACK, UPDATE",
                ),
                each('<recv response="183" optional="true">\n</recv>', PRACKS_AND_TAKES_UPDATE),
                each("CSeq: 2 BYE", "CSeq: 3 BYE"),
            ),
        ),
        callees=(
            phone(
                f"{DRACHTIO}uas-183-send-update.xml",
                "INVITE, PRACK, 200 UPDATE, ACK, BYE",
                edits=(
                    each("sip:sipp@127.0.0.1:5090", "sip:127.0.0.1:@PORT@"),
                    pauses(2000, 500),
                    first("<action>", KEEPS_THE_INVITE),
                    last(
                        "[last_Via:]\n[last_From:]\n[last_To:];tag=[$local_tag]\n[last_Record-Route:]\n"
                        "[last_Call-ID:]\n[last_CSeq:]",
                        "Via: [$4]\nFrom: [$from_header]\nTo: [$3];tag=[pid]SIPpTag01[call_number]\n"
                        "Call-ID: [call_id]\nCSeq: [$5]",
                    ),
                ),
            ),
        ),
        legs=answered(1.0),
        fails_until=NO_UPDATE_YET,
        why="the caller's file gets 100rel and UPDATE, which the case needs; the callee's 200 to the INVITE has the "
        "Via and CSeq of its own UPDATE: mended",
    ),
    Case(
        id="p-uas-auth",
        registrar=Part(
            file=f"{PJPROJECT}uas-auth.xml",
            seat=Seat.CARRIER,
            hears="REGISTER, REGISTER",
            edits=(each('realm="test"', 'realm="test",nonce="d2f1c6"'),),
            must_hear=('(?s)CSeq: 1 .*CSeq: 2 .*username="offhook42"',),
        ),
        fails_until=NO_REGISTRATION_YET,
        why="its challenge lacks the nonce: added",
    ),
    Case(
        id="p-uas-auth",
        variant="as published",
        registrar=Part(file=f"{PJPROJECT}uas-auth.xml", seat=Seat.CARRIER, hears="REGISTER", exits=None),
        fails_until=NO_REGISTRATION_YET,
        why="a challenge without a nonce cannot be answered (RFC 7616 3.3): the registration has failed",
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
        why="SIPp listens for 5 s more, in which no other REGISTER may come",
    ),
)
