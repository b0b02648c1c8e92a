"""What the relay counted on one endpoint, as the record that goes into the journal."""

from media.relay.messages import Figures
from rating.records import MediaFigures
from switch.sip.host import host_port


def label_of(call_id: str, leg: int, medium: int) -> str:
    """An endpoint's name at the relay: for people, and to find the call again when the last figures come."""
    return f"{call_id}/{leg}/{medium}"


def media_figures(label: str, figures: Figures, now_ms: int) -> MediaFigures:
    """`label` is one of ours."""
    call_id, leg, medium = label.split("/")
    return MediaFigures(
        call_id=call_id,
        leg=int(leg),
        medium=int(medium),
        ended_at_ms=now_ms,
        codec=figures.codec,
        packets=figures.packets,
        octets=figures.octets,
        lost=figures.lost,
        reordered=figures.reordered,
        duplicates=figures.duplicates,
        jitter_us=figures.jitter_us,
        jitter_max_us=figures.jitter_max_us,
        gap_us=figures.gap_us,
        round_trip_us=figures.round_trip_us,
        mos=figures.mos,
        packets_sent=figures.packets_sent,
        octets_sent=figures.octets_sent,
        remote_address=host_port(figures.remote_host, figures.remote_port) if figures.remote_host else "",
        dropped=" ".join(f"{reason}={count}" for reason, count in sorted(figures.dropped.items())),
        course=figures.course,
    )
