"""What the edge allows a stranger.

Every limit has its reason; reaching one closes that connection and is counted.
"""

import msgspec

# Two thirds of a common descriptor limit (30,000 after raising it), so that the rest of the process never
# starves.
CONNECTIONS_MAX = 20_000
# An office or a carrier's NAT puts many phones behind one address; a flood comes from few addresses. Of IPv6 a
# customer has a network of 64 bits or more, so that is what counts as a source.
CONNECTIONS_PER_SOURCE_MAX = 1_000
# A phone keeps its connection while it is registered, at most an hour by default (registrar.max_expires_s).
IDLE_S = 3_900.0
# A phone connects because it has something to say. A port scan has not.
FIRST_MESSAGE_S = 30.0
# A message that stopped half way: ten seconds is 60 retransmission attempts of a LAN and a slow loris' daily
# bread.
HALF_MESSAGE_S = 10.0
# A TLS or WebSocket handshake takes two or three round trips; over a satellite, with a lost packet, some seconds.
HANDSHAKE_S = 10.0
# Handshakes begun and not ended, of everybody. When 20,000 phones come back at once each is in this state for some
# milliseconds; who opens connections and stays silent gets no further than this.
HANDSHAKES_MAX = 2_000
# What may wait for a peer that does not read: some hundred messages. More is a dead or hostile peer.
WRITE_BUFFER_BYTES_MAX = 1024 * 1024
# TCP gives up on a silent peer after this (tcp(7), TCP_USER_TIMEOUT): as long as RFC 3261's Timer F.
SILENT_PEER_S = 32.0
# Finding out that a peer is gone, and keeping a NAT's mapping, when nobody speaks (RFC 5626 suggests 95 to
# 120 s).
KEEPALIVE_AFTER_S = 90
KEEPALIVE_EVERY_S = 15
KEEPALIVE_PROBES = 3

# A connection that is not there in this time is not worth waiting for: a trunk's default answer time is 6 s.
DIAL_S = 5.0
DIALS_MAX = 256
# Peers whose certificate must have a certain name: the addresses of all trunks, several for each.
EXPECTED_NAMES_MAX = 4_096
# Connections that a trunk's aliases (RFC 5923) may name, for each connection.
ALIASES_MAX = 4
# What may wait for one connection that is being opened.
DIAL_QUEUE_BYTES_MAX = 256 * 1024

# A switch restarts in a second or two. Messages that wait longer than Timer F have no transaction left.
BACKLOG_BYTES_MAX = 16 * 1024 * 1024
BACKLOG_AGE_S = 32.0

LISTEN_BACKLOG = 1024
SWEEP_EVERY_S = 1.0
COUNTS_EVERY_S = 5.0
# How soon a changed certificate is noticed. It is taken over at the second look that finds the files alike, so that a
# key which is written a moment after its certificate is there, too.
FILES_LOOK_EVERY_S = 1.0


class EdgeLimits(msgspec.Struct, frozen=True):
    """The limits that a test or an operator may want otherwise; the rest are constants."""

    connections_max: int = CONNECTIONS_MAX
    connections_per_source_max: int = CONNECTIONS_PER_SOURCE_MAX
    idle_s: float = IDLE_S
    first_message_s: float = FIRST_MESSAGE_S
    half_message_s: float = HALF_MESSAGE_S
    handshake_s: float = HANDSHAKE_S
    handshakes_max: int = HANDSHAKES_MAX
    write_buffer_bytes_max: int = WRITE_BUFFER_BYTES_MAX
    backlog_bytes_max: int = BACKLOG_BYTES_MAX
