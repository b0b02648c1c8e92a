"""How much of event state the exchange keeps, and for how long. Every number has its reason beside it."""

from typing import Final

# A lamp for each of 120 colleagues on a console with expansion modules, presence and a mailbox, and two of those.
SUBSCRIPTIONS_PER_LINE_MAX: Final = 250
# A hundred thousand phones ask for their mailbox as soon as they are registered, some for lamps, too. At 2 kB each it
# is 300 MB of the gigabyte that the switch may take.
SUBSCRIPTIONS_MAX: Final = 150_000
# As for REGISTER: below a minute a phone would be busy with nothing else, beyond an hour a vanished one stays too long.
EXPIRES_MIN_S: Final = 60
EXPIRES_MAX_S: Final = 3600
# Changes that are told to all watchers together. As many as pings (conf: ping_rate_max): a NOTIFY costs the same, and a
# line that a thousand others watch, or a restart, must not hold up calls.
NOTIFY_RATE_MAX: Final = 500
# What a dialog of a subscription may hold of the peer's text (addresses, Call-ID, routes): it is in the journal, too.
DIALOG_CHARS_MAX: Final = 2048
# After a restart our CSeq goes on this much higher than the journal last knew it: more than the NOTIFYs that fit
# between two SUBSCRIBEs of a phone, at most one a second for at most an hour.
CSEQ_AFTER_RESTART: Final = 10_000
# The oldest of a line's subscriptions makes room for a new one. Its phone may come back after this time.
PROBATION_S: Final = 600
# When the exchange is full.
RETRY_AFTER_S: Final = 60

# One phone publishes one document, and as many phones may be registered on a line.
PUBLICATIONS_PER_LINE_MAX: Final = 10
# Phones publish 300 to 1,500 bytes. A NOTIFY with more than this would be in many pieces over UDP.
DOCUMENT_BYTES_MAX: Final = 4096
# A hundred thousand phones with 600 bytes each.
PUBLISHED_BYTES_MAX: Final = 64 * 1024 * 1024
