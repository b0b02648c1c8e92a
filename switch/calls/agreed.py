"""What two ends have last told each other about their media (RFC 3264), kept on their legs.

It is there to be said again: to refresh a session (refresh.py), and to see that an offer is the last one once more
(`Leg.repeats_its_offer`). And it says who is on hold (hold_music.py).
"""

from typing import TYPE_CHECKING

from switch.calls.hold_music import follow_hold
from switch.calls.passing import Body

if TYPE_CHECKING:
    from switch.calls.leg import Leg

Carried = tuple[Body, Body]  # as it was said, and as the other end was told (carried_media.py)


def agreed(offerer: "Leg", offer: Carried, answerer: "Leg", answer: Carried) -> None:
    """An offer and its answer have crossed. An empty one leaves what was."""
    before = offerer.own_body, answerer.own_body
    if offer[0]:
        offerer.own_body, answerer.sent_body = offer
    if answer[0]:
        answerer.own_body, offerer.sent_body = answer
    if offerer.is_up and answerer.is_up:
        follow_hold(offerer, answerer, before)
