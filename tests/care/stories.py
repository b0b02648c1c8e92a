"""Calls as the switch would have recorded and traced them, for whoever explains, draws or exports one."""

from care.story import CallStory
from provisioning.views import CdrView
from rating.records import Cdr
from tests.provisioning.records import AT_MS, cdr
from traces.call_trace import CallTrace, TraceFlow, TraceMessage

START_US = AT_MS * 1000
ALICE = TraceFlow("UDP", "192.0.2.10", 5062, "198.51.100.1", 5060)
CARRIER = TraceFlow("UDP", "203.0.113.5", 5060, "198.51.100.1", 5060)


def sdp(host: str = "10.0.0.5", port: int = 4000) -> str:
    return (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    )


def message(start: str, *fields: str, body: str = "", call_id: str = "a84b4c76e66710", cseq: str = "1 INVITE",
            branch: str = "z9hG4bKone", to_tag: str = "") -> bytes:  # fmt: skip
    """One SIP message with what every one has."""
    kind = ["Content-Type: application/sdp"] if body.startswith("v=0") else []
    lines = [
        start,
        f"Via: SIP/2.0/UDP 192.0.2.10:5062;branch={branch}",
        "From: <sip:alice@example.com>;tag=a1",
        f"To: <sip:+442079460123@example.com>{';tag=' + to_tag if to_tag else ''}",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq}",
        *fields,
        *kind,
        f"Content-Length: {len(body.encode())}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("utf-8", "surrogatepass")


def said(at_ms: float, *, is_sent: bool, leg: int, data: bytes, flow: int | None = None) -> TraceMessage:
    return TraceMessage(START_US + round(at_ms * 1000), is_sent, leg, leg if flow is None else flow, data)


INVITE = "INVITE sip:+442079460123@example.com SIP/2.0"
OTHER_ID = "f81d4fae7dec11d0"


def carrier_message(start: str, *fields: str, **more: str) -> bytes:
    return message(start, *fields, **{"call_id": OTHER_ID, "branch": "z9hG4bKtwo", **more})


def messages_of_a_good_call() -> list[TraceMessage]:
    """Challenged, ringing after a repeat, answered after 3 s, hung up by the caller after a minute."""
    return [
        said(0, is_sent=False, leg=0, data=message(INVITE, body=sdp())),
        said(0.4, is_sent=True, leg=0, data=message("SIP/2.0 407 Proxy Authentication Required", to_tag="x")),
        said(15, is_sent=False, leg=0, data=message("ACK sip:x SIP/2.0", cseq="1 ACK", to_tag="x")),
        said(40, is_sent=False, leg=0, data=message(INVITE, body=sdp(), cseq="2 INVITE", branch="z9hG4bKb")),
        said(42, is_sent=True, leg=1, data=carrier_message(INVITE, body=sdp("198.51.100.1", 30000))),
        said(542, is_sent=True, leg=1, data=carrier_message(INVITE, body=sdp("198.51.100.1", 30000))),
        said(560, is_sent=False, leg=1, data=carrier_message("SIP/2.0 100 Trying")),
        said(850, is_sent=False, leg=1, data=carrier_message("SIP/2.0 180 Ringing", to_tag="c")),
        said(850.2, is_sent=True, leg=0,
             data=message("SIP/2.0 180 Ringing", cseq="2 INVITE", branch="z9hG4bKb", to_tag="t")),
        said(3200, is_sent=False, leg=1,
             data=carrier_message("SIP/2.0 200 OK", to_tag="c", body=sdp("203.0.113.6", 20000))),
        said(3200.3, is_sent=True, leg=1, data=carrier_message("ACK sip:c SIP/2.0", cseq="1 ACK", to_tag="c")),
        said(3203, is_sent=True, leg=0,
             data=message("SIP/2.0 200 OK", cseq="2 INVITE", branch="z9hG4bKb", to_tag="t",
                          body=sdp("198.51.100.1", 30002))),
        said(3230, is_sent=False, leg=0, data=message("ACK sip:x SIP/2.0", cseq="2 ACK", to_tag="t")),
        said(64_200, is_sent=False, leg=0,
             data=message("BYE sip:x SIP/2.0", "Reason: Q.850;cause=16", cseq="3 BYE", branch="z9hG4bKc", to_tag="t")),
        said(64_200.4, is_sent=True, leg=0,
             data=message("SIP/2.0 200 OK", cseq="3 BYE", branch="z9hG4bKc", to_tag="t")),
        said(64_200.6, is_sent=True, leg=1,
             data=carrier_message("BYE sip:c SIP/2.0", cseq="2 BYE", branch="z9hG4bKd", to_tag="c")),
        said(64_231, is_sent=False, leg=1,
             data=carrier_message("SIP/2.0 200 OK", cseq="2 BYE", branch="z9hG4bKd", to_tag="c")),
    ]  # fmt: skip


def caller_leg(**facts: object) -> Cdr:
    return cdr("c1", 0, **{"source_address": "udp:192.0.2.10:5062", "destination_address": "udp:198.51.100.1:5060",
                           "leg_reason": "the caller's leg", **facts})  # fmt: skip


def carrier_leg(leg: int = 1, **facts: object) -> Cdr:
    return cdr("c1", leg, **{
        "line": "", "trunk": "alpha", "leg_reason": "trunk alpha", "account_id": None, "payer_account_id": None,
        "per_minute_micros": None, "cost_micros": 0, "source_address": "udp:198.51.100.1:5060",
        "destination_address": "udp:203.0.113.5:5060", "sip_call_id": OTHER_ID, "other_sip_call_id": "a84b4c76e66710",
        **facts,
    })  # fmt: skip


def story(
    *legs: Cdr,
    messages: list[TraceMessage] | None = None,
    flows: list[TraceFlow] | None = None,
    dropped: int = 0,
    no_trace: str = "",
) -> CallStory:
    """A good call over a carrier unless told otherwise."""
    rows = list(legs) or [caller_leg(), carrier_leg()]
    views = [CdrView(row, "Example Ltd", "Example Ltd" if row.leg == 0 else "") for row in rows]
    if no_trace:
        return CallStory(legs=views, no_trace=no_trace)
    found = messages_of_a_good_call() if messages is None else messages
    ended_us = max((each.at_us for each in found), default=START_US)
    trace = CallTrace("c1", START_US, ended_us, "asked", flows or [ALICE, CARRIER], found, dropped)
    return CallStory(legs=views, trace=trace)
