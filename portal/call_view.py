"""What the page of a call shows, from its story. Pure."""

from typing import Final

import msgspec

from care.story import CallStory
from portal.rendering import clock, number, pounds, seconds
from provisioning.views import CdrView
from rating.records import Cdr, MediaFigures
from traces.call_trace import CallTrace, TraceFlow, TraceMessage

# The fee of an attempt is a row of its own and no leg (switch/calls/attempt_fee.py).
FEE: Final = "charged"
# A ladder draws as many; the rest of a trace is in the export.
MESSAGES_SHOWN_MAX: Final = 1_000
HEADLINE_CHARS_MAX: Final = 120

Facts = list[tuple[str, str]]


class LegShown(msgspec.Struct, frozen=True):
    """One leg as a card: its heading, what came of it, and facts with names."""

    title: str
    cdr: Cdr
    facts: Facts


class SoundShown(msgspec.Struct, frozen=True):
    """What one end sent."""

    title: str
    figures: MediaFigures
    facts: Facts
    has_nothing: bool


class MoneyShown(msgspec.Struct, frozen=True):
    """What somebody pays for a leg. `cost` and `left` are micros."""

    payer: str
    what: str
    facts: Facts
    cost_micros: int


class MessageShown(msgspec.Struct, frozen=True):
    """One message: `id` is what the ladder's arrow leads to."""

    id: str
    time: str
    offset: str
    way: str
    headline: str
    lines: list[str]


def legs_of(story: CallStory) -> list[LegShown]:
    return [
        LegShown(_leg_title(view.cdr), view.cdr, _leg_facts(view.cdr))
        for view in story.legs
        if view.cdr.outcome != FEE
    ]


def _leg_title(cdr: Cdr) -> str:
    who = f"line {cdr.line}" if cdr.line else f"trunk {cdr.trunk}" if cdr.trunk else "somebody unknown"
    if cdr.leg == 0:
        return f"The caller, {who}"
    return f"Leg {cdr.leg} to {number(cdr.destination) or who}" + (f", {who}" if cdr.destination else "")


def _leg_facts(cdr: Cdr) -> Facts:
    def after(at_ms: int | None) -> str:
        return "" if at_ms is None else f"{clock(at_ms)}, after {seconds(at_ms - cdr.setup_at_ms)}"

    cause = f"{cdr.sip_status}" + (f", Q.850 cause {cdr.q850_cause}" if cdr.q850_cause else "")
    facts = [
        ("Why", "" if cdr.leg == 0 and cdr.leg_reason == "dialled" else cdr.leg_reason),
        ("Began", clock(cdr.setup_at_ms)),
        ("Rang", after(cdr.ringing_at_ms)),
        ("Answered", after(cdr.answered_at_ms)),
        (
            "Ended",
            f"{clock(cdr.ended_at_ms)} by the {cdr.ended_by}" if cdr.ended_by else clock(cdr.ended_at_ms),
        ),
        ("Answer", cause if cdr.sip_status else ""),
        ("Reason", cdr.reason),
        ("Phone", cdr.user_agent),
        ("Address", cdr.source_address if cdr.leg == 0 else cdr.destination_address),
        ("SIP Call-ID", cdr.sip_call_id),
    ]
    return [(name, words) for name, words in facts if words]


def sound_of(story: CallStory) -> list[SoundShown]:
    """Each medium of each leg, in order."""
    return [_sound(view, figures) for view in story.legs for figures in view.media]


def _sound(view: CdrView, figures: MediaFigures) -> SoundShown:
    who = view.cdr.line or view.cdr.trunk or number(view.cdr.destination)
    end = "the caller" if figures.leg == 0 else f"leg {figures.leg}"
    title = (
        f"From {end}"
        + (f" ({who})" if who else "")
        + (f", medium {figures.medium}" if figures.medium else "")
    )
    expected = figures.packets + figures.lost
    lost = f"{figures.lost} of {expected} ({100 * figures.lost / expected:.1f} %)" if expected else ""
    facts = [
        ("Codec", figures.codec),
        ("Packets", f"{figures.packets} came, {figures.packets_sent} were sent to it"),
        ("Lost", lost),
        ("Jitter", f"{figures.jitter_us / 1000:.1f} ms, at most {figures.jitter_max_us / 1000:.1f} ms"),
        ("Longest gap", f"{figures.gap_us / 1000:.0f} ms" if figures.packets else ""),
        ("Quality", f"{figures.mos // 100}.{figures.mos % 100:02d} of 5 (MOS)" if figures.mos else ""),
        ("Round trip", f"{figures.round_trip_us / 1000:.0f} ms" if figures.round_trip_us else ""),
        ("Address", figures.remote_address),
        ("Dropped", figures.dropped),
    ]
    shown = [(name, words) for name, words in facts if words]
    return SoundShown(title, figures, shown, has_nothing=not figures.packets and figures.packets_sent > 0)


def money_of(story: CallStory, *, sees_buying: bool) -> list[MoneyShown]:
    """Whatever somebody pays, or what a leg costs us; what a carrier takes is for those who negotiate with it."""
    return [
        _money(view, sees_buying=sees_buying)
        for view in story.legs
        if view.cdr.payer_account_id is not None or (sees_buying and view.cdr.buy_micros)
    ]


def _money(view: CdrView, *, sees_buying: bool) -> MoneyShown:
    cdr = view.cdr
    parts = (
        ("Connection", cdr.connect_fee_micros),
        ("Talking", cdr.usage_micros),
        ("Access charge", cdr.access_charge_micros),
        ("Service charge", cdr.service_charge_micros),
    )
    facts = [(name, pounds(micros)) for name, micros in parts if micros]
    if cdr.per_minute_micros is not None and cdr.tariff:
        prefix = f" for {cdr.rate_prefix}" if cdr.rate_prefix else ""
        facts.append(("Price", f"{pounds(cdr.per_minute_micros)} a minute{prefix}, tariff {cdr.tariff}"))
    if cdr.billed_s:
        facts.append(
            (
                "Billed",
                f"{cdr.billed_s} s" + (f", {cdr.bundled_s} s of them from a bundle" if cdr.bundled_s else ""),
            )
        )
    if cdr.balance_after_micros is not None:
        facts.append(("Balance after it", pounds(cdr.balance_after_micros)))
    if sees_buying and cdr.buy_micros is not None:
        facts.append(
            ("Costs us", f"{pounds(cdr.buy_micros)} without VAT" + (f", deck {cdr.deck}" if cdr.deck else ""))
        )
    what = (
        "the call"
        if cdr.leg == 0
        else f"leg {cdr.leg}" + (f", {cdr.destination_name}" if cdr.destination_name else "")
    )
    if cdr.outcome == FEE:
        what = "the fee of the attempt"
    return MoneyShown(view.payer, what, facts, cdr.cost_micros)


def decisions_of(story: CallStory) -> list[str]:
    """The routing steps, in order."""
    return [words.strip() for view in story.legs for words in view.cdr.decisions.split(";") if words.strip()]


def messages_of(trace: CallTrace) -> list[MessageShown]:
    first_us = trace.messages[0].at_us if trace.messages else 0
    return [
        _message(place, message, trace.flows, first_us)
        for place, message in enumerate(trace.messages[:MESSAGES_SHOWN_MAX])
    ]


def _message(place: int, message: TraceMessage, flows: list[TraceFlow], first_us: int) -> MessageShown:
    text = message.data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    lines = text.rstrip("\n").split("\n")
    offset_us = message.at_us - first_us
    return MessageShown(
        f"m{place}",
        f"{clock(message.at_us // 1000)}{message.at_us % 1000:03d}",
        f"{offset_us / 1_000_000:.3f} s",
        _way(message, flows),
        lines[0][:HEADLINE_CHARS_MAX],
        lines,
    )


def _way(message: TraceMessage, flows: list[TraceFlow]) -> str:
    if not 0 <= message.flow < len(flows):
        return "sent" if message.is_sent else "received"
    flow = flows[message.flow]
    peer = _host_port(flow.remote_host, flow.remote_port)
    own = _host_port(flow.local_host, flow.local_port)
    return f"{flow.transport} {own} → {peer}" if message.is_sent else f"{flow.transport} {peer} → {own}"


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
