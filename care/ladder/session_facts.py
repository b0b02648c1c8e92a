"""What a session description says of the sound, in a few words: "PCMA 10.0.0.5:4000 private" (RFC 8866, RFC 3551).

It reads leniently, line by line: the picture is most wanted of descriptions that are wrong.
"""

import re
from ipaddress import ip_address, ip_network
from typing import Final

# The static payload types that telephones use (RFC 3551 6).
_STATIC_CODECS: Final = {"0": "PCMU", "3": "GSM", "4": "G723", "8": "PCMA", "9": "G722", "18": "G729"}
# What nobody beyond its own network can reach: RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291 2.5.6.
_PRIVATE: Final = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
    )
)
_MEDIA: Final = re.compile(
    r"m=([a-zA-Z0-9]{1,20}) ([0-9]{1,5})(?:/[0-9]{1,3})? ([A-Za-z/]{1,30})((?: [0-9]{1,3})*)"
)
_CONNECTION: Final = re.compile(r"c=IN IP[46] ([0-9A-Fa-f.:]{2,45})(?:/.*)?")
_RTPMAP: Final = re.compile(r"a=rtpmap:([0-9]{1,3}) ([A-Za-z0-9._-]{1,32})/.*")
_DIRECTIONS: Final = frozenset({"a=sendonly", "a=recvonly", "a=inactive"})
BODY_CHARS_MAX: Final = 16 * 1024  # a browser's longest descriptions are half of it
MEDIA_SHOWN_MAX: Final = 3


def sound_words(body: bytes) -> str:
    """Of each medium its first codec and where it wants its packets; "" where there is none to be read."""
    session_host, media = "", []
    names = dict(_STATIC_CODECS)
    for line in body[:BODY_CHARS_MAX].decode("utf-8", "replace").replace("\r\n", "\n").split("\n"):
        if found := _MEDIA.match(line):
            media.append(_Medium(*found.groups(), host=session_host))
        elif found := _CONNECTION.fullmatch(line.strip()):
            if media:
                media[-1].host = found[1]
            else:
                session_host = found[1]
        elif (found := _RTPMAP.fullmatch(line.strip())) is not None:
            if media:
                media[-1].names[found[1]] = found[2]
        elif line.strip() in _DIRECTIONS and media:
            media[-1].direction = line.strip()[2:]
    return ", ".join(medium.words(names) for medium in media[:MEDIA_SHOWN_MAX])


def is_private(host: str) -> bool:
    """Whether an address means nothing beyond its own network."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return any(address.version == network.version and address in network for network in _PRIVATE)


class _Medium:
    __slots__ = ("direction", "host", "kind", "names", "payloads", "port", "profile")

    def __init__(self, kind: str, port: str, profile: str, payloads: str, *, host: str) -> None:
        self.kind, self.port, self.profile = kind, port.lstrip("0") or "0", profile
        self.payloads = payloads.split()
        self.host = host
        self.names: dict[str, str] = {}
        self.direction = ""

    def words(self, static: dict[str, str]) -> str:
        codec = ""
        if self.payloads:
            codec = (
                self.names.get(self.payloads[0])
                or static.get(self.payloads[0])
                or f"payload {self.payloads[0]}"
            )
        said = [codec] if self.kind == "audio" else [self.kind, codec]
        if self.port == "0":
            return " ".join([*filter(None, said), "refused"])
        said.append(f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host or '?'}:{self.port}")
        said.append("private" if is_private(self.host) else "")
        said.append("encrypted" if "SAVP" in self.profile.upper() else "")
        said.append(self.direction)
        return " ".join(filter(None, said))
