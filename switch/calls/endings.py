"""Words and outcomes with which calls end that are looked for again: the fault desk tells by them what happened."""

from typing import Final

# Outcomes that are neither a refusal nor what a target answered (cdr.outcome_label).
GATE_CLOSED: Final = "gate_closed"
UNCONFIRMED: Final = "unconfirmed"
INTERRUPTED: Final = "interrupted"

TOO_LONG: Final = "the longest allowed call duration was reached"
# After "the caller's" or "the callee's".
FORGOTTEN: Final = "phone no longer knew the call"
RINGING_UNACKNOWLEDGED: Final = "the caller never acknowledged that it rings"
NO_COMMON_SOUND: Final = "the two ends have no sound in common"
# Before what the browser's process said.
BROWSER_LOST: Final = "the browser's sound was lost: "
# A decision of the record: before the label of the refusal for which a destination of a divert was passed over.
NOT_SENT_ON: Final = "not sent on: "
