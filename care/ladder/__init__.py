"""The ladder of a call: who sent what to whom, and when.

`ladder_of` makes it from all that is known of the call; text.py draws it for a terminal, svg.py for a page.
"""

from care.ladder.ladder import ladder_of
from care.ladder.model import Ladder, Participant, Role, Rung

__all__ = ["Ladder", "Participant", "Role", "Rung", "ladder_of"]
