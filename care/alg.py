"""Whether a router between the phone and us has rewritten its SIP ("SIP ALG", "SIP helper", "inspection"). Pure.

What is there to see: the Contact and the Via's sent-by, which a phone writes from one and the same knowledge of its
address; the host of the Call-ID, which most routers leave alone; and the source, which nobody can write.

Most of what an ALG does looks like what honest phones do, so most of it is no sign:

- Contact and Via private, source public: plain NAT. Nearly every phone.
- Contact is the source, Via private: the phone has learnt its address from `received` and `rport` (RFC 3581; pjsua and
  linphone do so), or by STUN without writing it into its Via (Sipura's and Linksys' default).
- Contact and Via are the source, Call-ID's host private: STUN in most phones (Yealink, Snom), or the ALG of Linux,
  which rewrites these two and not the Call-ID. Nothing in the message tells them apart: `maybe_rewritten`, which counts
  only beside a fault, and is asked about, not stated.
- Contact public with another port than the source, Via the same: a phone with STUN behind a symmetric NAT, a fixed
  public address set in the phone, or one that listens elsewhere than it sends from.

What no phone does by itself, and a router that rewrites some fields and not the others does:

- VIA_ONLY: the Via's sent-by is the public source, the Contact private. Who knows his public address says it in the
  Contact, as that is what it is for. Not judged of PJSIP (its branches begin with "Pj"): there both can be set apart.
- OTHER_PRIVATE: Contact and Via name two different private addresses, and the source is public: a router behind
  another router has written its own outer address (often of 100.64.0.0/10) into one of them. STUN would have found
  the public one, rport too.
- PORT_KEPT: Contact has the public address and the port of the private Via, not the source's, although the phone
  asks for rport: who had learnt the address from the answer would have learnt the port with it. A public address
  fixed in the phone by hand looks the same, and the words say so.

Over TLS and WSS no router can read along, and behind a proxy (several Vias) the fields are the proxy's: no judgement.
"""

import ipaddress
from collections.abc import Iterable
from typing import Final, NamedTuple

from rating.records import RegistrationEvent
from switch.registrar.history import CALL_ID_MARK
from switch.sip.errors import SipParseError
from switch.sip.fields import parse_via
from switch.sip.host import bare_host, canonical_ip
from switch.sip.uri import SipUri, parse_name_addr

VIA_ONLY: Final = "via rewritten, contact not"
OTHER_PRIVATE: Final = "contact and via of different private addresses"
PORT_KEPT: Final = "public address with the private port"

_WORDS: Final = {
    VIA_ONLY: "the router has put its public address into the Via and left the private one in the Contact",
    OTHER_PRIVATE: "Contact and Via name two different private addresses, so a router has written one of them",
    PORT_KEPT: "the Contact has the router's public address with the phone's private port, unless the phone was given a"
    " fixed public address by hand",
}
_SECURE: Final = frozenset({"TLS", "WSS"})
_DEFAULT_PORT: Final = 5060
_PJSIP_BRANCH: Final = "z9hG4bKPj"
# RFC 1918, 6598 (carriers' NAT), 3927, 1122; RFC 4193, 4291. The documentation addresses are none of these.
_PRIVATE: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
)


class _Seen(NamedTuple):
    """Hosts are addresses; `call_id_host` is "" where it is none."""

    contact: str
    contact_port: int
    via: str
    via_port: int
    asks_rport: bool
    source: str
    source_port: str
    call_id_host: str
    is_pjsip: bool


def alg_signs(event: RegistrationEvent) -> list[str]:
    """What only a router that rewrites SIP explains; none where a phone may have written it so."""
    seen = _seen(event)
    if seen is None:
        return []
    signs = []
    if seen.via == seen.source and is_private(seen.contact) and not seen.is_pjsip:
        signs.append(VIA_ONLY)
    if is_private(seen.contact) and is_private(seen.via) and seen.contact != seen.via:
        signs.append(OTHER_PRIVATE)
    is_port_kept = seen.contact_port == seen.via_port and str(seen.contact_port) != seen.source_port
    if seen.contact == seen.source and is_private(seen.via) and is_port_kept and seen.asks_rport:
        signs.append(PORT_KEPT)
    return signs


def maybe_rewritten(event: RegistrationEvent) -> bool:
    """Public throughout, but for a Call-ID that was made at a private address: STUN, or a router that rewrites well."""
    seen = _seen(event)
    if seen is None or not seen.call_id_host or not is_private(seen.call_id_host):
        return False
    return seen.contact == seen.via == seen.source


def alg_words(signs: Iterable[str]) -> str:
    """For support: what was seen and what to ask for; "" without a sign."""
    seen = [_WORDS[sign] for sign in signs if sign in _WORDS]
    if not seen:
        return ""
    return (
        f"The customer's router seems to rewrite SIP (SIP ALG): {'; '.join(seen)}. Ask to switch the ALG off."
    )


def is_private(host: str) -> bool:
    """Whether nobody on the internet has this address. False for what is no address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _PRIVATE)


def _seen(event: RegistrationEvent) -> _Seen | None:
    """None where nothing can be judged."""
    via_text, mark, call_id_host = event.via.rpartition(CALL_ID_MARK)
    if not mark:
        via_text, call_id_host = event.via, ""
    if not via_text or ", SIP/" in via_text or not event.contact or event.transport in _SECURE:
        return None
    try:
        via = parse_via(via_text)
        uri = parse_name_addr(event.contact).parsed_uri
    except SipParseError:
        return None
    source, _, source_port = event.source.rpartition(":")
    if not isinstance(uri, SipUri):
        return None
    hosts = [canonical_ip(bare_host(host)) for host in (uri.host, via.host, source)]
    contact, sent_by, came_from = hosts
    if contact is None or sent_by is None or came_from is None or is_private(came_from):
        return None
    return _Seen(
        contact=contact,
        contact_port=uri.port or _DEFAULT_PORT,
        via=sent_by,
        via_port=via.port or _DEFAULT_PORT,
        asks_rport="rport" in via.params,
        source=came_from,
        source_port=source_port,
        call_id_host=canonical_ip(bare_host(call_id_host)) or "",
        is_pjsip=(via.params.get("branch") or "").startswith(_PJSIP_BRANCH),
    )
