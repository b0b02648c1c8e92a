"""Event package presence: whether a colleague is there (RFC 3856), as published or, without that, as registered and,
where somebody talks there, on the phone (RFC 4480).

Lines of one account see each other, nobody else sees anything: an account is a family or a firm, and to a stranger it
is not even told that a line exists. A published document is passed on octet for octet.
"""

from typing import Final

from provisioning.model import Line
from switch.calls.line_calls import LineCalls
from switch.events.dialogs import is_on_the_phone
from switch.events.package import Document
from switch.events.publications import PIDF, PRESENCE, Publications
from switch.events.xml_text import escaped
from switch.registrar.bindings import Bindings
from switch.sip.uri import escape_user

_PERSON_NAMESPACES: Final = (
    ' xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid"'
)
_ON_THE_PHONE: Final = (
    '<dm:person id="person"><rpid:activities><rpid:on-the-phone/></rpid:activities></dm:person>\r\n'
)


class Presence:
    """The package."""

    name: Final = PRESENCE
    content_type: Final = PIDF
    interval_s: Final = 5.0  # RFC 3856 6.10
    follows_calls: Final = True

    def __init__(
        self, publications: Publications, bindings: Bindings, line_calls: LineCalls, domain: str
    ) -> None:
        self._publications = publications
        self._line_calls = line_calls
        self._bindings = bindings
        self._domain = domain

    def may_watch(self, watcher: Line, resource: Line) -> bool:
        return watcher.account_id == resource.account_id

    def document(self, resource: Line, version: int, now: float) -> Document:
        published = self._publications.latest(resource.user)
        if published is not None:
            return Document(PIDF, published)
        entity = escaped(f"sip:{escape_user(resource.user)}@{self._domain}")
        basic = "open" if self._bindings.of(resource.user, now) else "closed"
        namespaces, person = "", ""
        if is_on_the_phone(self._line_calls, resource.user):
            namespaces, person = _PERSON_NAMESPACES, _ON_THE_PHONE
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>\r\n'
            f'<presence xmlns="urn:ietf:params:xml:ns:pidf"{namespaces} entity="{entity}">\r\n'
            f'<tuple id="line"><status><basic>{basic}</basic></status></tuple>\r\n{person}'
            "</presence>\r\n"
        )
        return Document(PIDF, text.encode())
