"""Requests inside a dialog: hold, re-INVITE, and what crosses on the way."""

from sipp_scenarios.scenarios import answered
from tests.wire.sipp_cases.case import Case
from tests.wire.sipp_cases.edits import WITHOUT_BANNERS, WITHOUT_SOUND, Edit, each, first, last, pauses
from tests.wire.sipp_cases.files import (
    DRACHTIO,
    OUTSIDE,
    PATCHED,
    PBERTERA,
    SAGHUL,
    line,
    never_rang,
    phone,
    trunk,
)

UAC_HOLD = f"{PBERTERA}Hold-UAC/uac-hold.xml"
UAS_HOLD = f"{PBERTERA}Hold-UAC/uas-hold.xml"
HOLDS = "407 INVITE, 180 INVITE, 200 INVITE, 200 INVITE, 200 INVITE, 200 BYE"
IS_HELD = "INVITE, ACK, INVITE, ACK, INVITE, ACK, BYE"
BANNERS = "SIPp 3.6.1 stops at its `<nop>` banners: removed"

# One more re-INVITE is answered like the one before it.
ANOTHER_REINVITE = Edit(
    r'<recv request="BYE">',
    """<recv request="INVITE"></recv>
<send retrans="500"><![CDATA[

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

]]></send>
<recv request="ACK"></recv>
<recv request="BYE">""",
)
TAKES_487 = Edit(
    r"</scenario>",
    """<recv response="487"></recv>
<send><![CDATA[

ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-5]
[last_From:]
[last_To:]
[last_Call-ID:]
CSeq: 2 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
</scenario>""",
)
HANGS_UP_IN_THE_END = Edit(
    r"(?=<ResponseTimeRepartition)",
    """<send retrans="500"><![CDATA[

BYE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: sipp <sip:sipp@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]
To: [service] <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 9 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"></recv>
""",
)
# The callee hangs up while the caller still thinks about its re-INVITE.
IS_HUNG_UP_DURING_REINVITE = Edit(
    r"<send>(?:(?!<send>).)*?CSeq: 1 ACK(?:(?!<send>).)*</send>\s*<send>(?:(?!<send>).)*SIP/2.0 200 OK.*",
    """<recv request="CANCEL"></recv>
<send><![CDATA[

SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
<recv request="BYE"></recv>
<send><![CDATA[

SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
<send retrans="500"><![CDATA[

SIP/2.0 487 Request Terminated
Via: [$2]
[last_From:]
[last_To:]
[last_Call-ID:]
CSeq: [$1]
Content-Length: 0

]]></send>
<recv request="ACK"></recv>
</scenario>
""",
)
KEEPS_THE_REINVITE = first(
    '<recv request="INVITE" crlf="true">\n</recv>',
    """<recv request="INVITE" crlf="true"><action>
<ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="1" />
<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="2" />
</action></recv>""",
)
HEARS_HOW_IT_ENDED = Edit(
    r'<timewait milliseconds="4000"/>',
    """<recv response="200"></recv>
<recv response="487"></recv>
<send><![CDATA[

ACK sip:[$4] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-5]
[last_From:]
[last_To:]
[last_Call-ID:]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>""",
)

DIALOGS = (
    Case(
        id="reinvite-481",
        caller=line(
            f"{SAGHUL}uac_hold.xml",
            "407 INVITE, 180 INVITE, 200 INVITE, 481 INVITE",
            edits=(WITHOUT_SOUND, pauses(2000, 500)),
            exits=1,
        ),
        callees=(phone(f"{SAGHUL}uas_reinvite_481.xml", "INVITE, ACK, INVITE, ACK, BYE"),),
        legs=answered(0.5, ended_by="callee", cause=41),
        why="this caller expects 200; a 481 ends the dialog (12.2.1.2): it is passed on, and both sides get BYE",
    ),
    Case(
        id="hold",
        caller=line(
            f"{SAGHUL}uac_hold.xml", HOLDS, edits=(WITHOUT_SOUND, pauses(2000, 500), pauses(5000, 500))
        ),
        callees=(
            phone(
                f"{DRACHTIO}uas-success-reinvite.xml",
                IS_HELD,
                edits=(ANOTHER_REINVITE,),
                must_hear=("(?s)a=sendonly.*a=sendrecv",),
            ),
        ),
        legs=answered(1.5),
        why="this callee answers one re-INVITE only: the next is answered like it",
    ),
    Case(
        id="hold-rfc2543",
        caller=line(
            f"{SAGHUL}uac_deprecated_hold.xml",
            HOLDS,
            edits=(WITHOUT_SOUND, pauses(2000, 500), pauses(5000, 500)),
        ),
        callees=(
            phone(
                UAS_HOLD, IS_HELD, edits=(WITHOUT_SOUND, WITHOUT_BANNERS), must_hear=(r"c=IN IP4 0\.0\.0\.0",)
            ),
        ),
        legs=answered(1.5),
        why=BANNERS,
    ),
    Case(
        id="hold-pair",
        caller=line(
            UAC_HOLD,
            HOLDS,
            edits=(WITHOUT_SOUND, WITHOUT_BANNERS, each("CSeq: 2 BYE", "CSeq: 4 BYE"), pauses(3000, 500)),
        ),
        callees=(trunk(UAS_HOLD, IS_HELD, edits=(WITHOUT_SOUND, WITHOUT_BANNERS)),),
        legs=answered(1.5, rate=OUTSIDE),
        why=f"{BANNERS}; its BYE has a lower CSeq than the re-INVITE before: raised",
    ),
    Case(
        id="hold-pair",
        variant="as published",
        caller=line(
            UAC_HOLD,
            HOLDS.replace("200 BYE", "500 BYE"),
            edits=(WITHOUT_SOUND, WITHOUT_BANNERS, pauses(3000, 500)),
            exits=1,
        ),
        callees=(trunk(UAS_HOLD, IS_HELD, edits=(WITHOUT_SOUND, WITHOUT_BANNERS)),),
        legs=answered(1.5, rate=OUTSIDE),
        why=f"{BANNERS}; a BYE with a lower CSeq than the request before must be rejected with 500 (12.2.2); SIPp "
        "then sends one in order",
    ),
    Case(
        id="reinvite-pai",
        caller=line(
            f"{PBERTERA}reINVITE-PAI/uac.xml",
            "407 INVITE, 200 INVITE, 200 INVITE, 200 BYE",
            edits=(pauses(5000, 500),),
        ),
        callees=(
            phone(
                f"{PATCHED}pbertera/reINVITE-PAI_uas.xml",
                "INVITE, ACK, INVITE, ACK, BYE",
                must_not_hear=("1234567",),
                exits=97,  # it ends by SIPp's stop_now
            ),
        ),
        legs=never_rang(answered(1.0)),
    ),
    Case(
        id="empty-reinvite",
        caller=line(
            f"{SAGHUL}uac_empty_reinvite.xml",
            "407 INVITE, 180 INVITE, 200 INVITE, 200 INVITE, 200 BYE",
            edits=(WITHOUT_SOUND, pauses(90000, 1000)),
            must_hear=("(?s)CSeq: 2 INVITE.*m=audio",),
        ),
        callees=(
            phone(
                f"{DRACHTIO}uas-success-reinvite.xml",
                "INVITE, ACK, INVITE, ACK, BYE",
                must_hear=("(?s)CSeq: 2 ACK.*m=audio.*a=sendrecv",),
            ),
        ),
        legs=answered(1.0),
    ),
    Case(
        id="reinv-bye-race",
        caller=line(
            f"{DRACHTIO}uac-reinvite-bye-race.xml",
            "407 INVITE, 200 INVITE, 200 BYE, 487 INVITE",
            edits=(pauses(3000, 500), TAKES_487),
        ),
        callees=(
            phone(
                f"{DRACHTIO}uas-reinvite-bye-race.xml",
                "INVITE, ACK, INVITE, BYE",
                edits=(
                    last('<recv request="INVITE" crlf="true">', '<recv request="@BYE@" crlf="true">'),
                    each('<recv request="BYE" crlf="true">', '<recv request="INVITE" crlf="true">'),
                    each("@BYE@", "BYE"),
                    each("SIP/2.0 200 OK\nVia: [$2]", "SIP/2.0 487 Request Terminated\nVia: [$2]"),
                ),
            ),
        ),
        legs=never_rang(answered(0.5)),
        why="this callee wants the BYE before the re-INVITE that was sent first; each crosses as it comes, and the "
        "re-INVITE is 487 on both sides",
    ),
    Case(
        id="reinv-bye-race-2",
        caller=line(
            f"{DRACHTIO}uac-recv-reinvite.xml",
            "407 INVITE, 200 INVITE, INVITE, CANCEL, BYE, ACK",
            edits=(
                each('<pause milliseconds="3000"/>', ""),
                KEEPS_THE_REINVITE,
                IS_HUNG_UP_DURING_REINVITE,
            ),
        ),
        callees=(
            phone(
                f"{DRACHTIO}uas-reinvite-bye.xml",
                "INVITE, ACK, 200 BYE, 487 INVITE",
                edits=(
                    first("<!-- immediately reinvite -->", '<pause milliseconds="300"/>'),
                    HEARS_HOW_IT_ENDED,
                ),
            ),
        ),
        legs=never_rang(answered(0.3, ended_by="callee")),
        why="this caller takes the re-INVITE and never sees the BYE: it now does; it acknowledges at once instead "
        "of after 3 s, before which no re-INVITE may come (14.1)",
    ),
    Case(
        id="overlap",
        caller=line(
            f"{DRACHTIO}uac-overlapping.xml",
            "407 INVITE, 200 INVITE, 200 INVITE, 500 INVITE, 500 INVITE, 200 BYE",
            edits=(
                pauses(1000, 300),
                Edit(
                    r'<recv response="200" rtd="true">(?=\s*</recv>\s*<send>(?:(?!</send>).)*CSeq: [34] ACK)',
                    '<recv response="500">',
                ),
                Edit(r"branch=\[branch\](?=(?:(?!</send>).)*CSeq: [34] ACK)", "branch=[branch-3]"),
                HANGS_UP_IN_THE_END,
            ),
        ),
        callees=(
            phone(
                f"{DRACHTIO}uas-overlapping.xml",
                "INVITE, ACK, INVITE, ACK, INVITE, ACK, INVITE, ACK, BYE",
                edits=(
                    Edit(
                        r'(?<=</send>)(?=\s*<recv request="INVITE" crlf="true">)',
                        '\n<recv request="ACK"></recv>',
                    ),
                    Edit(
                        r"(?=<ResponseTimeRepartition)",
                        """<recv request="ACK"></recv>
<recv request="BYE"></recv>
<send><![CDATA[

SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
""",
                    ),
                ),
            ),
        ),
        legs=never_rang(answered(0.3)),
        why="the two files are of different tests: the callee now waits for its ACKs, the caller takes the 500s and "
        "hangs up; a refused re-INVITE leaves the call up (14.1)",
    ),
)
