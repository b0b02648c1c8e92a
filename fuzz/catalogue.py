"""The targets by name, and what share of the time each gets."""

from fuzz.sessions import SESSIONS
from fuzz.targets import Target, digest_client, digest_server, parser, stream, uri

TARGETS: dict[str, Target] = {
    "parser": parser,
    "stream": stream,
    "uri": uri,
    "digest_server": digest_server,
    "digest_client": digest_client,
    **SESSIONS,
}
# In parts of the whole. What everybody can send unasked comes first.
SHARES: dict[str, int] = {
    "parser": 25,
    "stream": 10,
    "uri": 10,
    "digest_server": 10,
    "digest_client": 5,
    "call": 15,
    "datagrams": 15,
}
# Longest input: a datagram with room for every limit of a line; calls need a few hundred choices.
INPUT_BYTES_MAX: dict[str, int] = {"call": 400, "digest_server": 200, "stream": 4096, "uri": 1024}
INPUT_BYTES_MAX_ELSEWHERE = 8192
# Inputs that are choices and not messages: mutations of texts would be wasted on them.
CHOICES = frozenset({"call", "digest_server"})
