"""Requests outside a dialog other than REGISTER and calls; strangers and scanners."""

from sipp_scenarios.scenarios import Leg, answered
from tests.wire.sipp_cases.case import Case
from tests.wire.sipp_cases.edits import Edit, each, first
from tests.wire.sipp_cases.files import DRACHTIO, SAGHUL, UNCONFIRMED, line, phone, stranger

NOTIFY_CALLER = f"{DRACHTIO}uac-notify-during-call-setup.xml"
NOTIFY_XML = Edit(r'<recv response="100"\s*</recv>', '<recv response="100"></recv>')
EARLY_MEDIA = '<recv response="183" optional="true"></recv>\n<recv response="180" optional="true"></recv>\n'

# A message has a record for its sender and one for where it went.
DELIVERED = 2 * (Leg(outcome="delivered", sip_status=200, cause=0, ended_by="callee"),)

TIMED_OUT = 255  # SIPp's exit code

REQUESTS = (
    Case(
        id="mwi-bogus-from",
        caller=stranger(
            f"{SAGHUL}uac_subscribe_mwi_bogus_from.xml", "400 SUBSCRIBE", csv="saghul@example.com"
        ),
    ),
    Case(
        id="options",
        caller=stranger(
            f"{SAGHUL}uac_options.xml", "200 OPTIONS", must_hear=("(?i)\nAllow: ", "(?i)\nAccept: ")
        ),
    ),
    Case(
        id="bad-message",
        caller=line(f"{SAGHUL}uac_bad_message.xml", "407 MESSAGE, 200 MESSAGE", login="MESSAGE"),
        callees=(phone("takes_message.xml", "MESSAGE", must_hear=(r"\r\n\r\ntest",)),),
        legs=DELIVERED,
        why="the four octets are there, only their Content-Type is not: passed as they are",
    ),
    Case(
        id="long-message",
        caller=line(
            f"{DRACHTIO}uac-long-message.xml",
            "407 MESSAGE, 200 MESSAGE",
            login="MESSAGE",
            edits=(each("34020000002000000002", "[service]"),),
        ),
        callees=(phone("takes_message.xml", "MESSAGE", must_hear=("IPC-HFW3236M-I1",)),),
        legs=DELIVERED,
        why="it is sent to a number of ours",
    ),
    Case(
        id="oob-refer",
        caller=stranger(f"{SAGHUL}uac_oob_refer.xml", "405 REFER", exits=1),
        why="a REFER outside a call would place one for whoever asks: 405",
    ),
    Case(
        id="spammer",
        caller=stranger(f"{DRACHTIO}uac-spammer-expect-603.xml", "", exits=TIMED_OUT),
        timeout_s=5,
        why="who calls himself sipcli gets no answer: a 603 would confirm that a server is here",
    ),
    Case(
        id="spammer-ack",
        caller=stranger(
            f"{DRACHTIO}uac-spammer-ack-crash.xml",
            "407 INVITE",
            edits=(
                Edit(r"User-Agent: sipcli[^\n]*", "User-Agent: a phone"),
                each('<recv response="603"', '<recv response="407"'),
                first("</scenario>", '<pause milliseconds="1000"/>\n</scenario>'),
            ),
        ),
        is_otherwise=True,
        why="under another name than sipcli, which gets no answer: 407 rather than 603; SIPp listens on after "
        "its ACK, to which nothing comes",
    ),
    Case(
        id="notify-early",
        caller=line(
            NOTIFY_CALLER,
            "407 INVITE, 481 NOTIFY, 183 INVITE, 180 INVITE, 200 INVITE, 200 BYE",
            edits=(
                NOTIFY_XML,
                first("CSeq: 1 ACK\nMax-Forwards: 70", "CSeq: 2 NOTIFY\nMax-Forwards: 70"),
                first('<recv response="200">\n</recv>', f'<recv response="481"></recv>\n{EARLY_MEDIA}'),
                each("CSeq: 2 BYE", "CSeq: 3 BYE"),
            ),
        ),
        callees=(phone(f"{DRACHTIO}uas-183-180-200.xml"),),
        legs=answered(1.0),
        is_otherwise=True,
        why="the file's XML is broken and its NOTIFY has the CSeq of an ACK; nothing is subscribed to, so "
        "the NOTIFY is 481 (RFC 6665 4.1.3), and the call goes on",
    ),
    Case(
        id="notify-early",
        variant="as published",
        caller=line(NOTIFY_CALLER, "407 INVITE, 400 ACK", edits=(NOTIFY_XML,), exits=1),
        callees=(phone(f"{DRACHTIO}uas-183-180-200.xml"),),
        legs=UNCONFIRMED,
        billed_s=0,
        timeout_s=60,
        why="a NOTIFY whose CSeq names another method is 400; SIPp then leaves the call, which nobody acknowledges",
    ),
)
