"""Whose certificate it is: the SIP domains of RFC 5922 7.1, compared as its 7.2 says.

A certificate is what `ssl.SSLSocket.getpeercert` gives of one that was verified. The identities are the hosts of its
`sip:` URIs; only without such a URI are they its DNS names. A wildcard matches nothing, and the common name of the
subject is not looked at. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from switch.sip.errors import SipParseError
from switch.sip.host import bare_host, canonical_ip
from switch.sip.uri import SipUri, parse_uri

Certificate = Mapping[str, Any]


def is_certified_for(certificate: Certificate, name: str, host: str) -> bool:
    """Whether this peer is `name`, or, where none is expected, whether it is at the address `host`."""
    if name:
        return (canonical_ip(name) or _plain(name)) in (*sip_identities(certificate), *addresses(certificate))
    return host in addresses(certificate)


def sip_identities(certificate: Certificate) -> tuple[str, ...]:
    """RFC 5922 7.1: SIP URIs first, DNS names only without any. A URI with a user part names a person, no domain."""
    of_uris = [host for text in _alternatives(certificate, "URI") for host in _domain_of(text)]
    if of_uris:
        return tuple(of_uris)
    return tuple(_plain(name) for name in _alternatives(certificate, "DNS") if "*" not in name)


def addresses(certificate: Certificate) -> tuple[str, ...]:
    """The addresses that it is good for, in their one spelling."""
    found = (canonical_ip(text) for text in _alternatives(certificate, "IP Address"))
    return tuple(address for address in found if address is not None)


def served_names(certificate: Certificate) -> tuple[str, ...]:
    """The names under which a certificate of our own is shown (SNI): all DNS names, wildcards too."""
    return tuple(_plain(name) for name in _alternatives(certificate, "DNS"))


def _domain_of(text: str) -> Sequence[str]:
    try:
        uri = parse_uri(text)
    except SipParseError:
        return ()
    return (bare_host(uri.host),) if isinstance(uri, SipUri) and uri.user is None else ()


def _alternatives(certificate: Certificate, kind: str) -> list[str]:
    return [value for found, value in certificate.get("subjectAltName", ()) if found == kind]


def _plain(name: str) -> str:
    return name.lower().rstrip(".")
