"""Whether an address that a session description names can be its maker's at all, seen from where its signalling comes.

A phone behind NAT names the address that it has at home, which is somebody else's elsewhere; a hostile one names an
address inside our network (CVE-2020-26262 is of that kind). Such an address is never sent to: the peer is found by what
it sends. Addresses are canonical literals (switch.sip.host).
"""

import ipaddress
from typing import Final

from switch.sip.host import is_same_family

_SHARED: Final = ipaddress.ip_network("100.64.0.0/10")  # RFC 6598: behind a carrier's NAT


def may_hear_at(host: str, signalling_host: str) -> bool:
    """Whether media may be sent to `host` for a peer whose SIP comes from `signalling_host`.

    Always where it is the same address. Otherwise loopback, link-local, multicast and the like never; a private one
    only to a peer whose signalling is private, too.
    """
    if host == signalling_host:
        return True
    if not host or not is_same_family(host, signalling_host):
        return False
    address = ipaddress.ip_address(host)
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    if host == "255.255.255.255":
        return False
    if _is_inside(address):
        return _is_inside(ipaddress.ip_address(signalling_host))
    return True


def _is_inside(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """RFC 1918, RFC 4193, RFC 6598. Documentation addresses count as the public ones that they stand for."""
    if isinstance(address, ipaddress.IPv6Address):
        return address in _UNIQUE_LOCAL
    return any(address in network for network in _PRIVATE)


_UNIQUE_LOCAL: Final = ipaddress.ip_network("fc00::/7")
_PRIVATE: Final = (
    ipaddress.ip_network("10.0.0.0/8"),
    ipaddress.ip_network("172.16.0.0/12"),
    ipaddress.ip_network("192.168.0.0/16"),
    _SHARED,
)
