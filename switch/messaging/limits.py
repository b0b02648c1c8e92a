"""How many messages are taken and kept, and for how long. Every number has its reason beside it."""

from typing import Final

# People type a line in a second or two, and a phone may send a few at once after it was away.
MESSAGES_PER_SECOND: Final = 1.0
MESSAGES_BURST: Final = 20
# A carrier's are those of all its customers.
TRUNK_MESSAGES_PER_SECOND: Final = 50.0
TRUNK_MESSAGES_BURST: Final = 200
# RFC 3428 8: a MESSAGE must fit into one packet on every link of its way.
MESSAGE_BYTES_MAX: Final = 1300
# Headers of the sender's phone that pass with it, names and values. They are in the journal, too.
PASSED_CHARS_MAX: Final = 512
# Senders whose pace is remembered; beyond it all begin anew. They are lines of ours, so there are no more than lines.
SENDERS_MAX: Final = 100_000

# As long as the message centres of mobile networks keep a text that names no time of its own.
KEPT_S_MAX: Final = 7 * 86_400
# Of one line: a phone that was away for a week gets them in some seconds.
KEPT_PER_LINE_MAX: Final = 100
# Of those from one sender, so that nobody fills a stranger's place.
KEPT_PER_SENDER_MAX: Final = 20
# At 2 kB each it is 200 MB of the gigabyte that the switch may take, and a tenth of it in a usual year.
KEPT_MAX: Final = 100_000
# When there is no room.
RETRY_AFTER_FULL_S: Final = 600

# A phone that is there answers in some milliseconds. Until then the sender waits; then it is told 202, long before its
# own Timer F makes it try again.
REACTION_S: Final = 4.0
# The sender's phone gives up after 32 s (Timer F). What a carrier has not said by now it is not told any more.
DEADLINE_S: Final = 25.0
# The journal takes milliseconds. A 202 that it cannot back is not given.
DURABLE_S: Final = 4.0

# A phone that has just registered still sets itself up.
SETTLE_S: Final = 2.0
# A phone that is there and does not take it is asked again after a minute, then ever later.
RETRY_FIRST_S: Final = 60.0
RETRY_MAX_S: Final = 900.0
# After a restart the lines begin one after the other: as many as NOTIFYs (events/limits.py), for the same reason.
LINES_PER_SECOND: Final = 500
# How often what has expired is looked for; nobody waits for it.
EXPIRY_SWEEP_S: Final = 60.0
