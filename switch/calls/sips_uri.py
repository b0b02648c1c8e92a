"""sips: in Request-URIs and in our own Contact (RFC 3261 19.1, 12.1.1)."""


def is_sips(uri: str) -> bool:
    return uri[:5].lower() == "sips:"


def sips_contact(contact: str) -> str:
    """Our Contact in a dialog that sips: began (12.1.1): sips has TLS in it and needs no such parameter."""
    return contact.replace("<sip:", "<sips:", 1).replace(";transport=tls", "", 1)
