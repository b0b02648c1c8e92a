"""Event package reg: a line's own registrations, for its own phones (RFC 3680).

Each document is the full state. Left out: the terminated contacts of the past, and the reasons of changes.
"""

from typing import Final

from provisioning.model import Line
from switch.events.package import Document
from switch.events.xml_text import escaped
from switch.registrar.bindings import Bindings
from switch.sip.uri import escape_user

CONTENT_TYPE: Final = "application/reginfo+xml"


class Registrations:
    """The package. Each line watches itself."""

    name: Final = "reg"
    content_type: Final = CONTENT_TYPE
    interval_s: Final = 5.0  # RFC 3680 4.10
    follows_calls: Final = False

    def __init__(self, bindings: Bindings, domain: str) -> None:
        self._bindings = bindings
        self._domain = domain

    def may_watch(self, watcher: Line, resource: Line) -> bool:
        return watcher.user == resource.user

    def document(self, resource: Line, version: int, now: float) -> Document:
        live = self._bindings.of(resource.user, now)
        aor = escaped(f"sip:{escape_user(resource.user)}@{self._domain}")
        lines = [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="{version}" state="full">',
            f'<registration aor="{aor}" id="line" state="{"active" if live else "init"}">',
        ]
        for place, binding in enumerate(live):
            uri = f"<uri>{escaped(binding.contact)}</uri>"
            lines.append(f'<contact id="c{place}" state="active" event="registered">{uri}</contact>')
        lines.append("</registration></reginfo>")
        return Document(CONTENT_TYPE, "\r\n".join(lines).encode())
