"""E-mail addresses as this exchange takes them (RFC 5321 4.1.2: Dot-string and a domain)."""

from typing import Final

# RFC 5321 4.5.3.1: a path has 256 octets with its brackets.
MAIL_ADDRESS_CHARS_MAX: Final = 254
_LOCAL_PART: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$%&'*+-/=?^_`{|}~"
)
_DOMAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")


def is_mail_address(text: str) -> bool:
    """Plain ones: without spaces, quotes, comments and line ends."""
    local, at, domain = text.rpartition("@")
    return (
        bool(at)
        and len(text) <= MAIL_ADDRESS_CHARS_MAX
        and bool(local)
        and _LOCAL_PART.issuperset(local)
        and bool(domain)
        and _DOMAIN.issuperset(domain)
        and not domain.startswith((".", "-"))
    )
