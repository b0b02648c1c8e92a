"""What SIPp plays in the calls of this folder, put together from steps: a caller, a callee, a registration.

Most of what goes wrong here is what no good phone can be told to do: an ACK that is never sent, an address that nobody
reaches, a refresh that stays without an answer. `[user]` and `[dialled]` are SIPp's keys.
"""

from typing import Final

CODECS: Final = "8 0"
PCMA_AND_PCMU: Final = "a=rtpmap:8 PCMA/8000\na=rtpmap:0 PCMU/8000"
_REPEATED: Final = '<send retrans="500">'
_ONCE: Final = "<send>"
G729_ONLY: Final = ("18", "a=rtpmap:18 G729/8000")


def sdp(
    *, host: str = "[media_ip]", port: str = "[media_port]", codecs: tuple[str, str] = (CODECS, PCMA_AND_PCMU)
) -> str:
    """A session description with one audio stream. IPv4 or IPv6 by where SIPp plays."""
    family = "IP4" if host != "[media_ip]" else "IP[media_ip_type]"
    payloads, maps = codecs
    return (
        f"v=0\no=- 1 1 IN {family} {host}\ns=-\nc=IN {family} {host}\nt=0 0\n"
        f"m=audio {port} RTP/AVP {payloads}\n{maps}\n"
    )


def spoken_offer() -> str:
    """Of a caller who `plays_sound`: a port of his own for each call."""
    return sdp(port="[rtpstream_audio_port]")


def scenario(*steps: str) -> str:
    body = "\n".join(step for step in steps if step)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="played">\n{body}\n</scenario>\n'


def pause(seconds: float) -> str:
    return f'<pause milliseconds="{int(seconds * 1000)}"/>'


# A caller


def dials(*, offer: str | None = None, headers: str = "", logs_in: bool = True, shown: str = "[user]") -> str:
    """The INVITE, with the answer to a challenge; a carrier is not challenged. `offer` "": it comes with the ACK."""
    body = sdp() if offer is None else offer
    if not logs_in:
        return _invite(1, body, headers, shown)
    login = f"{headers}[authentication]\n"
    return "\n".join(
        [
            _invite(1, body, headers, shown),
            '<recv response="407" auth="true"/>',
            _refusal_ack(1),
            _invite(2, body, login, shown),
        ]
    )


def hears(status: int, *, ringing: bool = True) -> str:
    """The final answer, whatever came before; a refusal is acknowledged."""
    before = "".join(
        f'<recv response="{each}" optional="true"/>\n' for each in (100, 180, 181, 182, 183) if ringing
    )
    if status == 200:
        return f'{before}<recv response="200" rrs="true"/>'
    return f'{before}<recv response="{status}"/>\n{_refusal_ack(2)}'


def hears_ringing(status: int = 180) -> str:
    return f'<recv response="100" optional="true"/>\n<recv response="{status}"/>'


def acknowledges(cseq: int = 2, *, body: str = "") -> str:
    return _send(
        "ACK [next_url] SIP/2.0", cseq, "ACK", "[routes]\n", body, to="[peer_tag_param]", is_repeated=False
    )


def hangs_up(cseq: int = 3) -> str:
    """And is told that it is well."""
    return _send("BYE [next_url] SIP/2.0", cseq, "BYE", "[routes]\n", to="[peer_tag_param]") + (
        '\n<recv response="200"/>'
    )


def cancels(cseq: int = 2) -> str:
    """The branch is the INVITE's, which was sent right before the last answer: SIPp keeps it by [last_Via:]."""
    return "\n".join(
        [
            f"{_REPEATED}<![CDATA[\nCANCEL sip:[dialled]@[remote_ip]:[remote_port] SIP/2.0\n[last_Via:]\n"
            "[last_From:]\nTo: <sip:[dialled]@[remote_ip]:[remote_port]>\n[last_Call-ID:]\n"
            f"CSeq: {cseq} CANCEL\nMax-Forwards: 70\nContent-Length: 0\n\n]]></send>",
            '<recv response="200"/>',
            '<recv response="487"/>',
            _refusal_ack(cseq),
        ]
    )


def plays_sound() -> str:
    """Packets of a file beside the scenario, in SIPp's own stream."""
    return '<nop><action><exec rtp_stream="sound.alaw,-1,8"/></action></nop>'


def is_hung_up() -> str:
    return f'<recv request="BYE"/>\n{answers_request()}'


# A callee


def is_called() -> str:
    keep = '<ereg regexp="&lt;.*" search_in="hdr" header="From:" assign_to="caller"/>'
    return (
        f'<recv request="INVITE" rrs="true"><action>{keep}</action></recv>\n<Reference variables="caller"/>'
    )


def answers(status: int, reason: str, *, headers: str = "", body: str = "", is_repeated: bool = False) -> str:
    """A response to the INVITE, in a dialog."""
    return _response(status, reason, headers, body, tag=";tag=callee-[call_number]", is_repeated=is_repeated)


def takes_call(*, body: str | None = None, headers: str = "") -> str:
    """The 200 and its ACK."""
    return "\n".join(
        [
            answers(200, "OK", body=sdp() if body is None else body, headers=headers, is_repeated=True),
            '<recv request="ACK"/>',
        ]
    )


def refuses_call(status: int, reason: str, *, headers: str = "") -> str:
    return "\n".join([answers(status, reason, headers=headers, is_repeated=True), '<recv request="ACK"/>'])


def is_cancelled() -> str:
    """200 to the CANCEL, 487 to the INVITE: what the INVITE said has to be kept, as the CANCEL comes after it."""
    return "\n".join(
        [
            '<recv request="CANCEL"/>',
            _response(200, "OK", "", "", tag=";tag=callee-[call_number]"),
            f"{_REPEATED}<![CDATA[\nSIP/2.0 487 Request Terminated\n[last_Via:]\n[last_From:]\n"
            "[last_To:];tag=callee-[call_number]\n[last_Call-ID:]\nCSeq: [last_cseq_number] INVITE\n"
            "Content-Length: 0\n\n]]></send>",
            '<recv request="ACK"/>',
        ]
    )


def callee_hangs_up() -> str:
    """A BYE from who was called, after an INVITE and nothing else: To and From change places."""
    return (
        f"{_REPEATED}<![CDATA[\nBYE [next_url] SIP/2.0\n"
        "Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport\n"
        "From: <sip:[user]@[remote_ip]:[remote_port]>;tag=callee-[call_number]\nTo: [$caller]\n"
        "[last_Call-ID:]\nCSeq: 1 BYE\n[routes]\nMax-Forwards: 70\nContent-Length: 0\n\n]]></send>\n"
        '<recv response="200"/>'
    )


def answers_request(status: int = 200, reason: str = "OK", *, body: str = "") -> str:
    """A response to a request in the dialog."""
    return _response(status, reason, "", body, tag="")


# A registration


def registers(expires_s: int) -> str:
    fields = (
        "From: <sip:[user]@[remote_ip]:[remote_port]>;tag=phone-[call_number]\n"
        "To: <sip:[user]@[remote_ip]:[remote_port]>\nCall-ID: [call_id]\n"
    )
    contact = f"Contact: <sip:[user]@[local_ip]:[local_port]>\nExpires: {expires_s}\nUser-Agent: SIPp phone\n"

    def register(cseq: int, login: str) -> str:
        return (
            f"{_REPEATED}<![CDATA[\nREGISTER sip:[remote_ip]:[remote_port] SIP/2.0\n"
            "Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport\n"
            f"{fields}CSeq: {cseq} REGISTER\nMax-Forwards: 70\n{contact}{login}Content-Length: 0\n\n]]></send>"
        )

    return "\n".join(
        [
            register(1, ""),
            '<recv response="401" auth="true"/>',
            register(2, "[authentication]\n"),
            '<recv response="200"/>',
        ]
    )


def _invite(cseq: int, body: str, headers: str, shown: str) -> str:
    more = f"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK\n{headers}"
    return _send(
        "INVITE sip:[dialled]@[remote_ip]:[remote_port] SIP/2.0", cseq, "INVITE", more, body, shown=shown
    )


def _refusal_ack(cseq: int) -> str:
    """In the INVITE's own transaction: our Via, as it came back (RFC 3261 17.1.1.3)."""
    return (
        "<send><![CDATA[\nACK sip:[dialled]@[remote_ip]:[remote_port] SIP/2.0\n[last_Via:]\n[last_From:]\n[last_To:]\n"
        f"[last_Call-ID:]\nCSeq: {cseq} ACK\nMax-Forwards: 70\nContent-Length: 0\n\n]]></send>"
    )


def _send(
    start: str,
    cseq: int,
    method: str,
    more: str,
    body: str = "",
    *,
    to: str = "",
    shown: str = "[user]",
    is_repeated: bool = True,
) -> str:
    typed = "Content-Type: application/sdp\n" if body else ""
    return (
        f"{_REPEATED if is_repeated else _ONCE}<![CDATA[\n{start}\n"
        "Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch];rport\n"
        f"From: <sip:{shown}@[remote_ip]:[remote_port]>;tag=caller-[pid]-[call_number]\n"
        f"To: <sip:[dialled]@[remote_ip]:[remote_port]>{to}\n"
        f"Call-ID: [call_id]\nCSeq: {cseq} {method}\nContact: <sip:[user]@[local_ip]:[local_port]>\n"
        f"Max-Forwards: 70\nUser-Agent: SIPp caller\n{more}{typed}Content-Length: [len]\n\n{body}]]></send>"
    )


def _response(
    status: int, reason: str, headers: str, body: str, *, tag: str, is_repeated: bool = False
) -> str:
    typed = "Content-Type: application/sdp\n" if body else ""
    return (
        f"{_REPEATED if is_repeated else _ONCE}<![CDATA[\nSIP/2.0 {status} {reason}\n"
        f"[last_Via:]\n[last_From:]\n[last_To:]{tag}\n[last_Call-ID:]\n[last_CSeq:]\n[last_Record-Route:]\n"
        "Contact: <sip:[user]@[local_ip]:[local_port]>\nUser-Agent: SIPp callee\n"
        f"{headers}{typed}Content-Length: [len]\n\n{body}]]></send>"
    )
