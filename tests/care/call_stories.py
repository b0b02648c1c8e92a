"""Stories of calls made by hand: what a call looks like on record, for whatever reads stories.

`call()` is a good call from line anna to 01632 960001 by carrier acme; each argument changes one thing. Times are
seconds after T0 (10:15:00 on 2 March 2026, London). Messages are made by `Talk`, which writes SIP as it is on the wire.
"""

from typing import Any, Final

from msgspec.structs import replace

from care.story import CallStory
from provisioning.views import CdrView
from rating.records import Cdr, MediaFigures, RegistrationEvent
from switch.calls.target import VOICEMAIL
from traces.call_trace import CallTrace, TraceFlow, TraceMessage

T0: Final = 1_772_446_500_000
CALLER: Final = "+442079460123"
CALLED: Final = "+441632960001"
PHONE: Final = "198.51.100.7"
CARRIER: Final = "203.0.113.20"
US: Final = "192.0.2.1"


def cdr(**changed: Any) -> Cdr:
    """Leg 0 of a call that was answered after 6 s and lasted a minute."""
    return replace(
        Cdr(
            call_id="call-1", leg=0, leg_reason="the caller's leg", setup_at_ms=T0, ringing_at_ms=T0 + 2000,
            answered_at_ms=T0 + 6000, ended_at_ms=T0 + 66_000, network_number=CALLER, presentation_number=CALLER,
            privacy="", dialled="01632960001", destination=CALLED, destination_name="", ddi="", account_id=1,
            line="anna", trunk="", payer_account_id=1, duration_ms=60_000, billed_s=60, connect_fee_micros=0,
            usage_micros=0, cost_micros=0, rate_prefix="", per_minute_micros=None, tariff="", tariff_version="",
            balance_after_micros=None, sip_status=200, q850_cause=16, outcome="answered", reason="the caller hung up",
            ended_by="caller", source_address=f"udp:{PHONE}:5060", destination_address=f"udp:{US}:5060",
            sip_call_id="a@phone", other_sip_call_id="b@us", user_agent="", other_user_agent="",
            post_dial_delay_ms=2000, is_emergency=False, is_recovered=False, routing_version="1",
        ),
        **changed,
    )  # fmt: skip


def leg(index: int = 1, **changed: Any) -> Cdr:
    """A target that was tried: carrier acme, which answered as the call did."""
    return cdr(
        **{
            "leg": index, "leg_reason": "trunk acme", "line": "", "trunk": "acme", "sip_call_id": f"b{index}@us",
            "source_address": f"udp:{US}:5060", "destination_address": f"udp:{CARRIER}:5060", "account_id": None,
            "payer_account_id": None, **changed,
        }
    )  # fmt: skip


def phone(index: int = 1, line: str = "bob", **changed: Any) -> Cdr:
    """A target that was tried: a phone of line bob."""
    return leg(
        index,
        **{
            "leg_reason": f"a phone of line {line}", "line": line, "trunk": "",
            "destination_address": "udp:198.51.100.9:5060", **changed,
        },
    )  # fmt: skip


def voice(index: int = 1, reason: str = "divert_no_reply", **changed: Any) -> Cdr:
    return leg(
        index, **{"leg_reason": reason, "line": "bob", "trunk": "", "destination": VOICEMAIL, **changed}
    )


def failed(
    status: int, cause: int, outcome: str, reason: str, *, by: str = "callee", at_s: float = 3
) -> dict[str, Any]:
    """What is different on the record of a leg that failed after so long."""
    return {
        "answered_at_ms": None, "ringing_at_ms": None, "ended_at_ms": T0 + round(at_s * 1000), "duration_ms": 0,
        "billed_s": 0, "sip_status": status, "q850_cause": cause, "outcome": outcome, "reason": reason, "ended_by": by,
        "post_dial_delay_ms": None, "cost_micros": 0,
    }  # fmt: skip


def refused(label: str, reason: str, *, status: int = 403, cause: int = 21, **changed: Any) -> CallStory:
    """The exchange said no."""
    return story(cdr(**{**failed(status, cause, label, reason, by="exchange", at_s=0.1), **changed}))


def story(*cdrs: Cdr, media: dict[int, MediaFigures] | None = None, **changed: Any) -> CallStory:
    """`media` is by leg."""
    figures = media or {}
    legs = [
        CdrView(
            each,
            "Smith" if each.account_id else "",
            "Smith" if each.payer_account_id else "",
            [figures[each.leg]],
        )
        if each.leg in figures
        else CdrView(each, "Smith" if each.account_id else "", "Smith" if each.payer_account_id else "", [])
        for each in cdrs
    ]
    return CallStory(legs=legs, **{"no_trace": "no trace of this call was kept", **changed})


def call(
    *, target: Cdr | None = None, media: dict[int, MediaFigures] | None = None, **changed: Any
) -> CallStory:
    """A call that was answered; `changed` is on the caller's record."""
    return story(cdr(**changed), target or leg(), media=media or {0: sound(0), 1: sound(1)})


def sound(index: int, **changed: Any) -> MediaFigures:
    """A minute of good sound from the end of this leg."""
    return replace(
        MediaFigures(
            call_id="call-1", leg=index, medium=0, ended_at_ms=T0 + 66_000, codec="PCMA", packets=3000, octets=480_000,
            lost=0, reordered=0, duplicates=0, jitter_us=800, jitter_max_us=3000, gap_us=30_000, round_trip_us=20_000,
            mos=440, packets_sent=3000, octets_sent=480_000, remote_address="", dropped="",
        ),
        **changed,
    )  # fmt: skip


def registration(event: str, *, at_s: float, line: str = "bob", **changed: Any) -> RegistrationEvent:
    return replace(
        RegistrationEvent(
            id=f"{line}-{event}-{at_s}", at_ms=T0 + round(at_s * 1000), event=event, line=line, account_id=2, reason="",
            source="198.51.100.9:5060", transport="UDP", contact="sip:bob@198.51.100.9:5060",
            via="", user_agent="phone",
        ),
        **changed,
    )  # fmt: skip


class Talk:
    """Writes the messages of one SIP dialog of a call. `leg` 0 is the caller's: the peer calls us."""

    def __init__(self, index: int = 0, *, peer: str = "", call_id: str = "") -> None:
        self.leg = index
        self.call_id = call_id or ("a@phone" if index == 0 else f"b{index}@us")
        self.flow = TraceFlow("UDP", peer or (PHONE if index == 0 else CARRIER), 5060, US, 5060)
        self.messages: list[TraceMessage] = []

    def request(
        self,
        method: str,
        at_s: float,
        *,
        sent: bool,
        cseq: int = 1,
        in_dialog: bool = False,
        fields: str = "",
        sdp: str = "",
    ) -> "Talk":
        to_tag = ";tag=to" if in_dialog else ""
        head = f"{method} sip:bob@example.com SIP/2.0\r\n"
        return self._add(head, method, at_s, sent=sent, cseq=cseq, to_tag=to_tag, fields=fields, sdp=sdp)

    def response(
        self,
        status: int,
        method: str,
        at_s: float,
        *,
        sent: bool,
        cseq: int = 1,
        fields: str = "",
        sdp: str = "",
    ) -> "Talk":
        head = f"SIP/2.0 {status} Said\r\n"
        return self._add(head, method, at_s, sent=sent, cseq=cseq, to_tag=";tag=to", fields=fields, sdp=sdp)

    def _add(
        self,
        head: str,
        method: str,
        at_s: float,
        *,
        sent: bool,
        cseq: int,
        to_tag: str,
        fields: str,
        sdp: str,
    ) -> "Talk":
        text = (
            f"{head}Via: SIP/2.0/UDP {self.flow.remote_host}:5060;branch=z9hG4bK{cseq}{method}\r\n"
            f"From: <sip:anna@example.com>;tag=from\r\nTo: <sip:bob@example.com>{to_tag}\r\n"
            f"Call-ID: {self.call_id}\r\nCSeq: {cseq} {method}\r\n{fields}"
        )
        if sdp:
            text += "Content-Type: application/sdp\r\n"
        text += f"Content-Length: {len(sdp.encode())}\r\n\r\n{sdp}"
        self.messages.append(TraceMessage((T0 + round(at_s * 1000)) * 1000, sent, self.leg, 0, text.encode()))
        return self


def sdp_of(host: str, *, origin: str = "", codecs: str = "8 PCMA") -> str:
    payload, _, name = codecs.partition(" ")
    return (
        f"v=0\r\no=- 1 1 IN IP4 {origin or host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio 4000 RTP/AVP {payload}\r\na=rtpmap:{payload} {name}/8000\r\n"
    )


def good_dialog(index: int = 0, *, answer_s: float = 6.0, peer: str = "") -> Talk:
    """INVITE, 100, 180, 200, ACK."""
    incoming = index == 0
    talk = Talk(index, peer=peer)
    host = talk.flow.remote_host
    talk.request("INVITE", 0, sent=not incoming, sdp=sdp_of(host if incoming else US))
    talk.response(100, "INVITE", 0.1, sent=incoming)
    talk.response(180, "INVITE", 2, sent=incoming)
    talk.response(200, "INVITE", answer_s, sent=incoming, sdp=sdp_of(US if incoming else host))
    return talk.request("ACK", answer_s + 0.1, sent=not incoming, in_dialog=True)


def trace(*talks: Talk) -> CallTrace:
    flows, messages = [], []
    for at, talk in enumerate(talks):
        flows.append(talk.flow)
        messages += [
            TraceMessage(message.at_us, message.is_sent, message.leg, at, message.data)
            for message in talk.messages
        ]
    messages.sort(key=lambda message: message.at_us)
    return CallTrace("call-1", T0 * 1000, (T0 + 66_000) * 1000, "asked", flows, messages)
