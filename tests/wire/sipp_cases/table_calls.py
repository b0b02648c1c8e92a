"""Calls that are answered."""

from sipp_scenarios.scenarios import Leg, answered
from tests.wire.sipp_cases.case import Case
from tests.wire.sipp_cases.edits import WITHOUT_SOUND, each, first, pauses
from tests.wire.sipp_cases.files import (
    DRACHTIO,
    FREESWITCH,
    KAMAILIO,
    OUTSIDE,
    SAGHUL,
    TALKS_WITHOUT_RINGING,
    UAC_BASIC,
    UAS_BASIC,
    UAS_SUCCESS,
    carrier,
    line,
    never_rang,
    phone,
    trunk,
)

KAMAILIO_KEYS = ("-key", "caller", "@USER@", "-key", "target_domain", "127.0.0.1")
NO_RECORDING = "recordings are not played"

CALLS = (
    Case(
        id="basic",
        caller=line(UAC_BASIC),
        callees=(phone(UAS_BASIC),),
        legs=answered(1.0),
    ),
    Case(
        id="basic",
        variant="from a carrier",
        caller=carrier(UAC_BASIC),
        callees=(phone(UAS_BASIC),),
        legs=answered(1.0, rate=""),
    ),
    Case(
        id="basic-no180",
        caller=line(UAC_BASIC, TALKS_WITHOUT_RINGING),
        callees=(trunk(f"{SAGHUL}uas_no_180.xml"),),
        legs=never_rang(answered(1.0, rate=OUTSIDE)),
    ),
    Case(
        id="basic-delayed",
        caller=line(UAC_BASIC),
        callees=(trunk(f"{SAGHUL}uas_delayed_answer.xml"),),
        legs=answered(1.0, rate=OUTSIDE),
    ),
    Case(
        id="basic-kam",
        caller=line(
            f"{KAMAILIO}uac_invite.xml",
            words=KAMAILIO_KEYS,
            edits=(
                each("SIPpTag09", "SIPpTag00"),
                each('<recv response="200" rtd="true"', '<recv response="200" rtd="true" rrs="true"'),
                pauses(5000, 1000),
            ),
        ),
        callees=(trunk(UAS_BASIC),),
        legs=answered(1.0, rate=OUTSIDE),
        why="its ACK and BYE have another From tag than its INVITE, and no Request-URI (`rrs` is missing): mended",
    ),
    Case(
        id="basic-anon",
        caller=line(
            f"{SAGHUL}uac_anonymous.xml",
            edits=(each("3333@sip2sip.info", "[service]@[remote_ip]:[remote_port]"),),
        ),
        callees=(phone(UAS_BASIC, must_hear=(r"(?i)\nFrom: \"?Anonymous",), must_not_hear=("7700900",)),),
        legs=answered(1.0),
    ),
    Case(
        id="g711a",
        caller=line(f"{SAGHUL}uac_pcap_g711a.xml", edits=(WITHOUT_SOUND, pauses(90000, 1000))),
        callees=(trunk(f"{SAGHUL}uas_pcap_g711a.xml", edits=(WITHOUT_SOUND, pauses(90000, 500))),),
        legs=answered(1.0, rate=OUTSIDE),
        leaves_out=NO_RECORDING,
    ),
    Case(
        id="g711a-leaky",
        caller=line(
            f"{SAGHUL}uac_pcap_g711a.xml",
            "407 INVITE, 183 INVITE, 200 INVITE, 200 BYE",
            edits=(
                WITHOUT_SOUND,
                pauses(90000, 1000),
                first(
                    '<recv response="180"',
                    '<recv response="183" optional="true"></recv>\n<recv response="180"',
                ),
            ),
        ),
        callees=(
            trunk(f"{SAGHUL}uas_pcap_g711a_leaky_media.xml", edits=(WITHOUT_SOUND, pauses(90000, 500))),
        ),
        legs=answered(1.0, rate=OUTSIDE),
        why="this caller does not expect the 183 of this callee: it is allowed",
        leaves_out=NO_RECORDING,
    ),
    Case(
        id="multi-183",
        caller=line(UAC_BASIC, "407 INVITE, 183 INVITE, 183 INVITE, 200 INVITE, 200 BYE"),
        callees=(
            trunk(
                f"{SAGHUL}uas_pcap_g711a_multi_183.xml",
                edits=(WITHOUT_SOUND, pauses(90000, 500), pauses(2000, 500)),
            ),
        ),
        legs=answered(1.0, rate=OUTSIDE),
        leaves_out=NO_RECORDING,
    ),
    Case(
        id="double-bye",
        caller=line(UAC_BASIC),
        callees=(phone(f"{SAGHUL}uas_double_bye.xml"),),
        legs=answered(1.0),
    ),
    Case(
        id="fork-180",
        caller=line(
            f"{DRACHTIO}uac-forking.xml",
            edits=(
                each("branch=z9hG4bK8e5c.3efe52712fa8a3cda67753dc1ba9ebee.0", "branch=[branch]"),
                each("From: sipp <sip:sipp@[local_ip]:[local_port]>", "From: <sip:017641259993@sipgate.de>"),
                each("tag=b1c0c328-ab8d-4e6b-9d31-caad066b54ef", "tag=[pid]SIPpTag09[call_number]"),
                each("Call-ID: 09e59cdf-af51-4727-beeb-4eae0c0f0959", "Call-ID: [call_id]"),
                each("CSeq: 13415 INVITE", "CSeq: 1 INVITE"),
            ),
        ),
        callees=(
            phone(UAS_SUCCESS),
            phone(
                f"{DRACHTIO}uas-cancel.xml", "INVITE, CANCEL, ACK", must_hear=("Call completed elsewhere",)
            ),
        ),
        # the phone that registered last is rung first
        legs=(
            answered(1.0)[0],
            Leg(outcome="cancelled", sip_status=487, cause=26, ended_by="exchange"),
            answered(1.0)[1],
        ),
        why="its ACK and BYE have another Call-ID, tag and CSeq than its INVITE: made one dialog",
    ),
    Case(
        id="slow",
        caller=line(f"{DRACHTIO}uac.xml", TALKS_WITHOUT_RINGING),
        callees=(
            trunk(f"{DRACHTIO}uas-slow-response.xml", ""),
        ),  # it ends as it answers: sometimes before our ACK
        legs=never_rang(answered(1.0, rate=OUTSIDE)),
    ),
    Case(
        id="long-sdp",
        caller=line(f"{DRACHTIO}uac-long-sdp.xml"),
        callees=(phone(UAS_SUCCESS, must_hear=("m=audio 29982 UDP/TLS/RTP/SAVPF",)),),
        legs=answered(1.0),
    ),
    Case(
        id="utf8",
        caller=line(f"{DRACHTIO}uac-utf8.xml"),
        # SIPp is told that the file is in ISO 8859-1 and sends its octets as they are; so they arrive.
        callees=(phone(UAS_SUCCESS, must_hear=('From: "Virtu\xc3\xa1lis koll\xc3\xa9ga" <',)),),
        legs=answered(1.0),
    ),
    Case(
        id="route",
        caller=line(f"{DRACHTIO}uac-preloaded-route.xml"),
        callees=(phone(UAS_SUCCESS, must_not_hear=(r"(?i)\nRoute:",)),),
        legs=answered(1.0),
    ),
    Case(
        id="sipp-official",
        caller=line("sipp_official/docs/uac.xml"),
        callees=(trunk("uas"),),
        legs=answered(1.0, rate=OUTSIDE),
    ),
    Case(
        id="fs-407",
        caller=line(f"{DRACHTIO}uac.xml"),
        callees=(
            trunk(
                f"{FREESWITCH}uas_407.xml",
                "INVITE, ACK, INVITE, ACK",
                must_hear=('Proxy-Authorization: Digest username="offhook42"',),
            ),
        ),
        legs=answered(1.0, rate=OUTSIDE),
    ),
)
