"""Calls that do not come about, and answers and acknowledgements that get lost."""

from sipp_scenarios.scenarios import Leg, answered
from tests.wire.sipp_cases.case import Case
from tests.wire.sipp_cases.edits import each, first
from tests.wire.sipp_cases.files import (
    DRACHTIO,
    OUTSIDE,
    SAGHUL,
    TRYING_OPTIONAL,
    UAC_BASIC,
    UAS_SUCCESS,
    UNCONFIRMED,
    WHY_TRYING,
    failed,
    given_up,
    line,
    phone,
    trunk,
)

X_CUSTOM = first("Max-Forwards: 70", "Max-Forwards: 70\nX-Custom: custom header value")
UAC_480 = f"{DRACHTIO}uac-expect-480.xml"
CANCELS = "407 INVITE, 183 INVITE, 200 CANCEL, 487 INVITE"
WHY_PLAIN_CALLER = "the caller's file knows no failure; it hears the callee's, and nothing is charged"
WHY_LOSS = "the loss is no longer by chance: SIPp waits until one repeat has come"

FAILURES = (
    Case(
        id="183-broken-sdp",
        caller=line(UAC_BASIC, "407 INVITE, 183 INVITE, 480 INVITE", exits=1),
        callees=(phone(f"{SAGHUL}uas_183_broken_sdp.xml", "INVITE, CANCEL"),),
        legs=given_up(cause=19, by="exchange", outcome="no_answer", status=480),
        why="SDP crosses unread; the callee gets the CANCEL that it waits for when nobody has answered in time",
    ),
    Case(
        id="491",
        caller=line(UAC_BASIC, "407 INVITE, 180 INVITE, 491 INVITE", exits=1),
        callees=(phone(f"{SAGHUL}uas_491.xml", "INVITE, ACK"),),
        legs=failed("failed", 491, 41),
        why=WHY_PLAIN_CALLER,
    ),
    Case(
        id="uas-malformed-400",
        caller=line(UAC_BASIC, "407 INVITE, 480 INVITE", exits=1),
        callees=(phone(f"{SAGHUL}uas_malformed_400.xml", "INVITE", exits=None),),
        legs=given_up(cause=19, by="exchange", outcome="no_answer", status=480),
        why="a response without From is dropped (8.1.3), so it is as if nobody had answered",
    ),
    Case(
        id="cseq-ack",
        caller=line(
            f"{SAGHUL}uac_wrong_cseq_in_ack.xml",
            "407 INVITE, 180 INVITE, 491 INVITE",
            edits=(
                each("sip2sip.info", "[remote_ip]:[remote_port]"),
                first("</scenario>", '<pause milliseconds="1500"/>\n</scenario>'),
            ),
            repeats=(("491 INVITE", 1),),
        ),
        callees=(phone(f"{SAGHUL}uas_491.xml", "INVITE, ACK"),),
        legs=failed("failed", 491, 41),
        why="SIPp listens on, to see the 491 repeated: an ACK with another branch (and CSeq) matches nothing (17.2.3)",
    ),
    Case(
        id="cancel",
        caller=line(f"{DRACHTIO}uac-cancel.xml", CANCELS, edits=(TRYING_OPTIONAL,)),
        callees=(phone(f"{DRACHTIO}uas-cancel.xml", "INVITE, CANCEL, ACK"),),
        legs=given_up(),
        why=WHY_TRYING,
    ),
    Case(
        id="cancel-late",
        caller=line(
            f"{DRACHTIO}uac-drop-200-then-cancel.xml",
            "407 INVITE, 180 INVITE, 200 INVITE, 200 CANCEL, 200 BYE",
            edits=(TRYING_OPTIONAL, each('<recv response="481"', '<recv response="200"')),
            repeats=(("200 INVITE", 2),),
        ),
        callees=(phone(UAS_SUCCESS),),
        legs=answered(2.0),
        is_otherwise=True,
        why=f"{WHY_TRYING}; a CANCEL after the 200 finds its transaction and changes nothing: 200 (9.2); the BYE "
        "is in the dialog: 200",
    ),
    Case(
        id="b-ackbye",
        caller=line(f"{DRACHTIO}uac-cancel.xml", CANCELS, edits=(TRYING_OPTIONAL,)),
        callees=(phone(f"{DRACHTIO}uas-ackbye.xml", "INVITE, CANCEL, ACK, BYE"),),
        legs=given_up(),
        why=WHY_TRYING,
    ),
    Case(
        id="drop-one-200",
        caller=line(
            f"{DRACHTIO}uac-drop-one-200.xml",
            edits=(
                each(
                    '<recv response="200" rtd="true" lost="75">\n</recv>',
                    '<recv response="200"></recv>\n<pause milliseconds="1000"/>',
                ),
            ),
            repeats=(("200 INVITE", 1),),
        ),
        callees=(phone(UAS_SUCCESS),),
        legs=answered(2.0),
        why=WHY_LOSS,
    ),
    Case(
        id="drop-all-200",
        # SIPp ends at our BYE; what it is told to lose it does not log, nor what comes after that.
        caller=line(f"{DRACHTIO}uac-drop-all-200.xml", "407 INVITE, 180 INVITE, 200 INVITE"),
        callees=(phone(UAS_SUCCESS),),
        legs=UNCONFIRMED,
        billed_s=0,
        timeout_s=60,
    ),
    Case(
        id="no-ack",
        caller=line(
            f"{DRACHTIO}uac-no-ack.xml",
            "407 INVITE, 480 INVITE",
            edits=(X_CUSTOM,),
            repeats=(("480 INVITE", 10),),
        ),
        callees=(phone(f"{DRACHTIO}uas-fail-480.xml", "INVITE, ACK"),),
        legs=failed("unavailable", 480, 18),
        timeout_s=60,
        why="the callee looks for a header that drachtio adds: the caller sends it",
    ),
    Case(
        id="drop-one-503",
        caller=line(
            f"{DRACHTIO}uac-drop-one-503.xml",
            "407 INVITE, 180 INVITE, 491 INVITE",
            edits=(
                each(
                    '<recv response="503" rtd="true" lost="70">\n</recv>',
                    '<recv response="180" optional="true"></recv>\n<recv response="491"></recv>\n'
                    '<pause milliseconds="1000"/>',
                ),
            ),
            repeats=(("491 INVITE", 1),),
        ),
        callees=(phone(f"{SAGHUL}uas_491.xml", "INVITE, ACK"),),
        legs=failed("failed", 491, 41),
        why=f"this callee says 491; {WHY_LOSS}",
    ),
    Case(
        id="b-486",
        caller=line(f"{DRACHTIO}uac-expect-486.xml", "407 INVITE, 486 INVITE"),
        callees=(trunk(f"{DRACHTIO}uas-fail-486.xml", "INVITE, ACK"),),
        legs=failed("busy", 486, 17, rate=OUTSIDE),
    ),
    Case(
        id="b-480",
        caller=line(
            UAC_480, "407 INVITE, 480 INVITE", edits=(X_CUSTOM, each('check_it="true"', 'check_it="false"'))
        ),
        callees=(
            phone(
                f"{DRACHTIO}uas-fail-480.xml",
                "INVITE, ACK",
                edits=(
                    each(
                        "480 Temporarily Unavailable",
                        "480 Temporarily Unavailable\nX-Custom: custom header value",
                    ),
                ),
            ),
        ),
        legs=failed("unavailable", 480, 18),
        is_otherwise=True,
        why="both look for a header that drachtio adds: the caller sends it and it reaches the callee; a refusal "
        "is ours, with the callee's status and cause, not its other headers",
    ),
    Case(
        id="bad-bye",
        caller=line(
            UAC_480,
            "407 INVITE, 180 INVITE, 480 INVITE",
            edits=(
                first(
                    '<recv response="480"',
                    '<recv response="180" optional="true"></recv>\n<recv response="480"',
                ),
                each('check_it="true"', 'check_it="false"'),
            ),
        ),
        callees=(
            phone(
                f"{DRACHTIO}uas-bad-bye.xml",
                "INVITE, 481 BYE",
                edits=(each("127.0.0.1:5090", "127.0.0.1:@PORT@"), each('"4000"/>', '"1000"/>')),
            ),
        ),
        legs=given_up(cause=19, by="exchange", outcome="no_answer", status=480),
        why="a callee may not hang up an early dialog (15): 481, and it goes on ringing until nobody has answered",
    ),
    Case(
        id="long-uri",
        caller=line(f"{DRACHTIO}uac-long-uri.xml", "407 INVITE, 404 INVITE", exits=1),
        legs=(Leg(outcome="number_not_in_use", sip_status=404, cause=1, ended_by="exchange"),),
        why="no number has 234 digits: 404, nothing is tried",
    ),
    Case(
        id="bad-user",
        caller=line(f"{DRACHTIO}uac-invalid-uri-user.xml", "407 INVITE, 404 INVITE", exits=1),
        legs=(Leg(outcome="number_not_in_use", sip_status=404, cause=1, ended_by="exchange"),),
        why="the user part is legal (25.1 allows `?` and `/`), and longer than any number: 404 rather than 500",
    ),
)
