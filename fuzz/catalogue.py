"""The targets by name, and what share of the time or of the messages each gets."""

from fuzz.media import relay, rtcp, rtp
from fuzz.sessions import SESSIONS
from fuzz.targets import Target, digest_client, digest_server, parser, sdp, stream, uri

TARGETS: dict[str, Target] = {
    "parser": parser,
    "stream": stream,
    "uri": uri,
    "sdp": sdp,
    "digest_server": digest_server,
    "digest_client": digest_client,
    "rtp": rtp,
    "rtcp": rtcp,
    "relay": relay,
    **SESSIONS,
}
# In parts of the whole. What everybody can send unasked comes first.
SHARES: dict[str, int] = {
    "parser": 25,
    "stream": 10,
    "uri": 10,
    "sdp": 10,
    "digest_server": 10,
    "digest_client": 5,
    "rtp": 3,
    "rtcp": 2,
    "relay": 10,
    "call": 10,
    "datagrams": 15,
}
# The same of a number of messages: one through the whole exchange takes ten times as long as one through the parser.
PARTS: dict[str, int] = {
    "parser": 42,
    "stream": 3,
    "uri": 15,
    "sdp": 12,
    "digest_server": 12,
    "digest_client": 5,
    "rtp": 5,
    "rtcp": 5,
    "relay": 5,
    "call": 4,
    "datagrams": 7,
}
# Longest input: a datagram with room for every limit of a line; calls need a few hundred choices.
INPUT_BYTES_MAX: dict[str, int] = {
    "call": 400,
    "digest_server": 200,
    "stream": 4096,
    "uri": 1024,
    "rtp": 2048,
    "rtcp": 2048,
}
INPUT_BYTES_MAX_ELSEWHERE = 8192
# Inputs that are choices and not messages: mutations of texts would be wasted on them.
CHOICES = frozenset({"call", "digest_server"})
