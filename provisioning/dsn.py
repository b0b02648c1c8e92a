"""Whether a text is the URI of a PostgreSQL, before anybody tries to connect to it."""

from urllib.parse import urlsplit

SCHEMES = ("postgresql", "postgres")
PORT_MAX = 65_535


def is_dsn(text: str) -> bool:
    """Its scheme, its brackets, and the ports of its hosts; there may be several, with commas between."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    hosts = parts.netloc.rpartition("@")[2].split(",")
    return parts.scheme in SCHEMES and all(_has_sound_port(host) for host in hosts)


def _has_sound_port(host: str) -> bool:
    """None, or one that can be; those of an IPv6 address stand behind its square brackets."""
    _, colon, port = host.rpartition("]")[2].rpartition(":")
    if not colon or not port:
        return True
    return port.isascii() and port.isdigit() and len(port) <= len(str(PORT_MAX)) and 1 <= int(port) <= PORT_MAX
