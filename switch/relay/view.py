"""What an operator is shown of the relay: its state in a line, and the streams of the live calls with their figures."""

from switch.relay.relay import Relay


def relay_state(relay: Relay | None) -> str:
    """For `offhook status`."""
    if relay is None:
        return "off"
    if not relay.is_here:
        return "away: session descriptions cross as they are"
    counts = relay.counts
    return f"connected, {len(relay.endpoints)} streams, {counts.ports_free} of {counts.ports_max} ports free"
