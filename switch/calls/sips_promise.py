"""Whether a hop keeps what a caller of a `sips:` address is promised (sips.py)."""

from switch.calls.target import Target, VoicemailTarget


def keeps_promise(target: Target) -> bool:
    """Whether a sips: call may go there. Voicemail on this machine is a part of the exchange and no hop."""
    return target.flow.is_secure or (isinstance(target, VoicemailTarget) and target.is_here)
