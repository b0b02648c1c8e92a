"""How much of everything the relay takes, and how long it waits. Times in seconds."""

from typing import Final

# A call has 50 packets a second each way; at 5 ms a packet 200, a video line some 300. More is a flood, also from a
# peer that was invited.
PACKETS_PER_S_MAX: Final = 1000
# Pairs that are open and wait, for each address: at 400 calls a second it is a third of a second of new calls.
GRANTED_MAX: Final = 256
# A switch that finds a new relay names its ports again first; until then any of them would look free.
GRANT_AFTER_S: Final = 0.2
# Told to the switch in handfuls.
GRANT_AT_ONCE: Final = 32
# A port rests before it is used again: what is still on its way to the old call must not reach the new one.
PORT_REST_S: Final = 30.0
# An endpoint is two sockets; past this a process would run out of descriptors before it ran out of ports.
ENDPOINTS_MAX: Final = 20_000
# What a socket held before it was used; a full receive buffer has some 300 small packets.
STALE_PACKETS_MAX: Final = 1000

SWEEP_EVERY_S: Final = 0.25
COUNTS_EVERY_S: Final = 5.0
# With no switch there for so long, a bridge in which nothing moved for as long is closed.
ORPHAN_S: Final = 60.0

# Packets played to a phone wait for its address: one behind NAT is found by what it sends.
PLAY_WAITS_S: Final = 2.0
# After a stall of the machine so much is played late at most; the rest is skipped, as nobody hears two sounds at once.
PLAY_LATE_MAX_S: Final = 0.2

# Messages kept for a switch that lost its connection and comes back as the same one.
BACKLOG_MAX: Final = 10_000
# A switch that reads so slowly has stopped reading.
LINK_BYTES_MAX: Final = 16 * 1024 * 1024
LABEL_CHARS_MAX: Final = 200
# Of one description and of one endpoint; SDP of ours has a tenth of it.
SOURCES_MAX: Final = 16
FORMATS_MAX: Final = 128
