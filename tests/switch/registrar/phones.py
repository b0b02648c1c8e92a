"""Phones that register: REGISTER requests as they come off the wire, and the flows they come from."""

from switch.registrar.bindings import Binding
from switch.sip.flow import TCP, TLS, UDP, Flow
from switch.sip.message import Request
from switch.sip.parser import parse_message

PHONE = Flow(UDP, "203.0.113.7", 40001, "198.51.100.1", 5060)
OTHER_PHONE = Flow(UDP, "203.0.113.8", 40002, "198.51.100.1", 5060)
SECURE = Flow(TLS, "203.0.113.9", 40003, "198.51.100.1", 5061, "c1")
CONNECTION = Flow(TCP, "203.0.113.9", 40003, "198.51.100.1", 5060, "c1")

HOME = "<sip:alice@192.168.1.20:5060>"
HOME_URI = "sip:alice@192.168.1.20:5060"
WORK = "<sip:alice@10.0.0.9:5062;transport=udp>"
WORK_URI = "sip:alice@10.0.0.9:5062;transport=udp"


def register(
    *contacts: str,
    user: str = "alice",
    expires: str | None = None,
    call_id: str = "call-1",
    cseq: int = 1,
    fields: str = "",
    to: str | None = None,
) -> Request:
    """Each contact is one Contact field."""
    lines = [
        "REGISTER sip:exchange.example.org SIP/2.0",
        f"Via: SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bK{cseq};rport",
        f"From: <sip:{user}@exchange.example.org>;tag=1",
        f"To: {to or f'<sip:{user}@exchange.example.org>'}",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} REGISTER",
        "Max-Forwards: 70",
        *(f"Contact: {contact}" for contact in contacts),
    ]
    if expires is not None:
        lines.append(f"Expires: {expires}")
    text = "\r\n".join(lines) + "\r\n" + fields + "\r\n"
    request = parse_message(text.encode("utf-8", "surrogateescape"))
    assert isinstance(request, Request)
    return request


def binding(
    contact: str = HOME_URI,
    *,
    user: str = "alice",
    flow: Flow = PHONE,
    expires_at: float = 3600.0,
    refreshed_at: float = 0.0,
    q: float | None = None,
    is_behind_nat: bool = True,
) -> Binding:
    return Binding(
        user=user,
        contact=contact,
        flow=flow,
        q=q,
        expires_at=expires_at,
        call_id="call-1",
        cseq=1,
        user_agent="Phone/1",
        instance="",
        registered_at=refreshed_at,
        refreshed_at=refreshed_at,
        is_behind_nat=is_behind_nat,
    )
