"""One value of a configuration file at a time: addresses, host names, header names, status codes, secrets.

Each `read_` function takes what TOML gave and returns the value or raises `Expected`, whose text says
what would have been right. The `Annotated` names at the end are what config.py's structs are made of;
conf_reader.py applies them.
"""

import enum
from collections.abc import Callable
from typing import Annotated, Any, Final

from msgspec import Struct

from provisioning.dsn import is_dsn
from switch.calls.passing import OURS
from switch.calls.trunk_sources import (
    IPV4_BITS,
    IPV6_BITS,
    Source,
    ipv4_bits,
    ipv6_bits,
    masked,
)
from switch.conf_files import shown
from switch.sip.flow import TCP, TLS, UDP
from switch.sip.host import canonical_ip, host_port, is_link_local

# RFC 1035 3.1: a label has 63 octets, a name 253 characters as text.
HOST_CHARS_MAX = 253
LABEL_CHARS_MAX = 63
# The longest header name registered with IANA has 34 characters.
HEADER_NAME_CHARS_MAX = 64
CODEC_CHARS_MAX = 32  # the longest of IANA's has 23
# A password of a carrier, or a DSN with its options.
SECRET_CHARS_MAX = 1000
PLAIN_CHARS_MAX = 100
# More than this in one list (addresses, sources, domains) is a mistake or an attack, not a configuration.
LIST_ITEMS_MAX = 1000
# A /0 would make a carrier of every phone in the world. A provider of IPv6 has a /32 at least.
IPV4_NETWORK_BITS_MIN = 8
IPV6_NETWORK_BITS_MIN = 32
WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised, not bound, here
_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~")


class Transport(enum.Enum):
    """How a peer is spoken to. The value is the word in the files, `flow_name` the word in a Flow."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"
    AUTO = "auto"

    @property
    def flow_name(self) -> str:
        """"" for AUTO: what the names of the peer say."""
        return _FLOW_NAMES[self]


_FLOW_NAMES: Final = {Transport.UDP: UDP, Transport.TCP: TCP, Transport.TLS: TLS, Transport.AUTO: ""}


class Secret(str):
    """A text that must not be seen in logs or tracebacks: its repr is hidden, str() gives the text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(***)" if self else "Secret(empty)"


class Address(Struct, frozen=True, order=True):
    """An IPv4 or IPv6 address, bare and in its one spelling, and a port: to listen on or to send to."""

    host: str
    port: int

    def __str__(self) -> str:
        return host_port(self.host, self.port)


class Expected(Exception):  # noqa: N818 - it reads as it is raised
    """A reader's no: what would have been right, and what was found where that is not the whole value."""

    def __init__(self, expected: str, found: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.found = found


class Reads:
    """Stands in an `Annotated` type and names the function that reads the value."""

    __slots__ = ("read",)

    def __init__(self, read: Callable[[object], Any]) -> None:
        self.read = read


def read_address(value: object) -> Address:
    """ "203.0.113.7:5060" or "[2001:db8::7]:5060"."""
    expected = Expected(
        'an address and a port from 1 to 65535, like "203.0.113.7:5060" or "[2001:db8::7]:5060"'
    )
    if not isinstance(value, str):
        raise expected
    host_text, _, port_text = value.rpartition(":")
    host, port = _written_ip(host_text, expected), _port(port_text)
    if host is None or port is None:
        raise expected
    return Address(host, port)


def read_optional_address(value: object) -> Address | None:
    """An address, or "" for none."""
    return None if value == "" else read_address(value)


def read_source(value: object) -> Source:
    """ "203.0.113.7" (any port), "203.0.113.7:5060" or "203.0.113.0/28" (any port); the same of IPv6, like
    "2001:db8::7", "[2001:db8::7]:5060" and "2001:db8:7::/48"."""
    expected = Expected(
        'an address, an address with a port, or a network, like "203.0.113.0/28" or "2001:db8:7::/48"'
    )
    if not isinstance(value, str):
        raise expected
    host_text, slash, bits_text = value.partition("/")
    if slash:
        return _read_network(host_text, bits_text)
    if (value.count(":") > 1 and not value.startswith("[")) or value.endswith("]"):
        return _source_of(value.removeprefix("[").removesuffix("]"), None, expected)
    host_text, colon, port_text = value.rpartition(":")
    if not colon:
        return _source_of(value, None, expected)
    port = _port(port_text)
    if port is None or ("[" in host_text) is not (":" in host_text):
        raise expected
    return _source_of(host_text.removeprefix("[").removesuffix("]"), port, expected)


def _read_network(host_text: str, bits_text: str) -> Source:
    is_ipv6 = ":" in host_text
    whole, least = (IPV6_BITS, IPV6_NETWORK_BITS_MIN) if is_ipv6 else (IPV4_BITS, IPV4_NETWORK_BITS_MIN)
    network, prefix_bits = _ip_bits(host_text), _decimal(bits_text, whole)
    if network is None or not prefix_bits or prefix_bits < least:
        example = "2001:db8:7::/48" if is_ipv6 else "203.0.113.0/28"
        raise Expected(f'a network of {least} to {whole} bits, like "{example}"')
    if masked(network, prefix_bits, whole) != network:
        first = Source(masked(network, prefix_bits, whole), prefix_bits, None, is_ipv6)
        raise Expected(f'the first address of the network, "{first}"')
    return Source(network, prefix_bits, None, is_ipv6)


def _source_of(host_text: str, port: int | None, expected: Expected) -> Source:
    bits = _ip_bits(host_text)
    if bits is None:
        raise expected
    is_ipv6 = ":" in host_text
    return Source(bits, IPV6_BITS if is_ipv6 else IPV4_BITS, port, is_ipv6)


def own_source(address: Address) -> Source:
    """A trunk's own address with its port, as a source of its calls."""
    is_ipv6 = ":" in address.host
    bits = _ip_bits(address.host)
    assert bits is not None, "addresses are read from files that were checked"
    return Source(bits, IPV6_BITS if is_ipv6 else IPV4_BITS, address.port, is_ipv6)


def _ip_bits(host_text: str) -> int | None:
    """An address as an integer, or None for what has no one spelling: names, scope ids, ::ffff:192.0.2.1."""
    host = canonical_ip(host_text)
    if host is None or is_link_local(host):
        return None
    return ipv6_bits(host) if ":" in host else ipv4_bits(host)


def _written_ip(text: str, expected: Expected) -> str | None:
    """A bare address from how it stands before a port: an IPv6 address in brackets."""
    is_bracketed = text.startswith("[") and text.endswith("]")
    host = canonical_ip(text[1:-1] if is_bracketed else text)
    if host is None or (":" in host) is not is_bracketed:
        return None
    if is_link_local(host):
        raise Expected(f"{expected.expected}; an address of one link (fe80::) cannot be written in SIP")
    return host


def read_host(value: object) -> str:
    """A host name, or an address without a port, bare and in its one spelling."""
    expected = Expected('a host name or an address without a port, like "sip.example.co.uk"')
    if not isinstance(value, str) or not 0 < len(value) <= HOST_CHARS_MAX:
        raise expected
    if ":" in value:
        host = canonical_ip(value.removeprefix("[").removesuffix("]")) or ""
        if not host or is_link_local(host):
            raise expected
        return host
    host = value.lower()
    labels = host.split(".")
    if not all(_is_label(label) for label in labels):
        raise expected
    if labels[-1].isdigit() and ipv4_bits(host) is None:
        raise expected
    return host


def read_optional_host(value: object) -> str:
    """A host, or "" for none."""
    return "" if value == "" else read_host(value)


def read_codec_name(value: object) -> str:
    """The name of an rtpmap (RFC 8866 6.6), in small letters."""
    if isinstance(value, str) and 0 < len(value) <= CODEC_CHARS_MAX and _TOKEN.issuperset(name := value.lower()):
        return name
    raise Expected('the name of a codec, like "PCMA"')


def read_switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise Expected("true or false, without quotes")
    return value


def read_header_name(value: object) -> str:
    """A header name, lower-cased, that is not ours to write."""
    if not isinstance(value, str) or not 0 < len(value) <= HEADER_NAME_CHARS_MAX:
        raise Expected('a header name, like "X-Customer-Reference"')
    name = value.lower()
    if not _TOKEN.issuperset(name):
        raise Expected('a header name, like "X-Customer-Reference"')
    if name in OURS:
        raise Expected("a header that the exchange does not write itself")
    if len(name) == 1:
        raise Expected("the long form of the header's name")
    return name


def read_status_codes(value: object) -> frozenset[int]:
    """[408, "5xx"] -> 408 and 500 to 599."""
    expected = Expected('a list of final SIP status codes from 400 to 699 and classes, like [408, "5xx"]')
    if not isinstance(value, list):
        raise expected
    codes: set[int] = set()
    for item in value:
        if item in ("4xx", "5xx", "6xx"):
            first = int(item[0]) * 100
            codes.update(range(first, first + 100))
        elif isinstance(item, int) and not isinstance(item, bool) and 400 <= item <= 699:
            codes.add(item)
        else:
            raise expected
    if 487 in codes and 487 in value:
        raise Expected("other codes than 487: it is the answer to our own CANCEL")
    return frozenset(codes - {487})


def read_secret(value: object) -> Secret:
    """A text, hidden from here on; also what is wrong with it is not repeated."""
    if not isinstance(value, str) or not 0 < len(value) <= SECRET_CHARS_MAX:
        raise Expected(f"a text in quotes of 1 to {SECRET_CHARS_MAX} characters", "a value that is not shown")
    return Secret(value)


def read_dsn(value: object) -> Secret:
    """A PostgreSQL URI, or "" for the embedded one."""
    is_sound = isinstance(value, str) and len(value) <= SECRET_CHARS_MAX
    if not is_sound or (value and not is_dsn(str(value))):
        raise Expected(
            '"" or a URI like "postgresql://offhook@db.example.co.uk/offhook"', "a value that is not shown"
        )
    return Secret(value)


def read_plain_text(value: object) -> str:
    """What may stand between quotes in a header: printable ASCII without quotes and backslashes."""
    is_sound = (
        isinstance(value, str) and value.isascii() and value.isprintable() and not set(value) & set('"\\')
    )
    if not is_sound or len(str(value)) > PLAIN_CHARS_MAX:
        raise Expected(
            f"a text of at most {PLAIN_CHARS_MAX} plain characters, without quotes and backslashes"
        )
    return str(value)


def read_realm(value: object) -> str:
    """A realm of our own cannot be empty."""
    if value == "":
        raise Expected("a name: phones are challenged with it")
    return read_plain_text(value)


def read_area_code(value: object) -> str:
    """ "01632" or "1632", kept without the 0; "" for none. Numbers are then dialled in full."""
    digits = value.removeprefix("0") if isinstance(value, str) else "?"
    if value == "":
        return ""
    if not (digits.isascii() and digits.isdigit() and 2 <= len(digits) <= 5 and digits[0] in "12"):
        raise Expected('"" or a UK area code, like "01632"')
    return digits


def read_short_code(value: object) -> str:
    """Digits of the operator's own, like a customer service on 150."""
    is_sound = isinstance(value, str) and value.isascii() and value.isdigit() and 3 <= len(value) <= 6
    if not is_sound or str(value)[0] != "1" or value in ("141", "1470", "112", "18000", "18001", "18002"):
        raise Expected('3 to 6 digits in quotes that begin with 1, like "150", and that are not spoken for')
    return str(value)


def list_reader(read: Callable[[object], Any]) -> Callable[[object], tuple[Any, ...]]:
    """A reader of a list from the reader of one item. An item that comes twice is refused."""

    def read_items(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Expected("a list in square brackets")
        if len(value) > LIST_ITEMS_MAX:
            raise Expected(f"at most {LIST_ITEMS_MAX} items", f"{len(value)} items")
        items: dict[Any, None] = {}
        for raw in value:
            try:
                item = read(raw)
            except Expected as expected:
                raise Expected(expected.expected, shown(raw)) from None
            if item in items:
                raise Expected("each item once", f"{shown(raw)} twice")
            items[item] = None
        return tuple(items)

    return read_items


def set_reader(read: Callable[[object], Any]) -> Callable[[object], frozenset[Any]]:
    """A reader of a list whose order says nothing."""
    read_items = list_reader(read)
    return lambda value: frozenset(read_items(value))


def _port(text: str) -> int | None:
    """1 to 65535 in plain decimal; 0 would mean any port, which nobody could be told."""
    return _decimal(text, 65_535) or None


def _decimal(text: str, most: int) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= 5) or int(text) > most:
        return None
    return int(text)


def _is_label(label: str) -> bool:
    return (
        0 < len(label) <= LABEL_CHARS_MAX
        and label.isascii()
        and label.replace("-", "a").isalnum()
        and not label.startswith("-")
        and not label.endswith("-")
    )


Addresses = Annotated[tuple[Address, ...], Reads(list_reader(read_address))]
OptionalAddress = Annotated[Address | None, Reads(read_optional_address)]
Sources = Annotated[tuple[Source, ...], Reads(list_reader(read_source))]
Hosts = Annotated[tuple[str, ...], Reads(list_reader(read_host))]
OptionalHost = Annotated[str, Reads(read_optional_host)]
Switch = Annotated[bool, Reads(read_switch)]
CodecNames = Annotated[frozenset[str], Reads(set_reader(read_codec_name))]
HeaderNames = Annotated[frozenset[str], Reads(set_reader(read_header_name))]
StatusCodes = Annotated[frozenset[int], Reads(read_status_codes)]
HiddenText = Annotated[Secret, Reads(read_secret)]
Dsn = Annotated[Secret, Reads(read_dsn)]
PlainText = Annotated[str, Reads(read_plain_text)]
Realm = Annotated[str, Reads(read_realm)]
OptionalAreaCode = Annotated[str, Reads(read_area_code)]
ShortCodes = Annotated[frozenset[str], Reads(set_reader(read_short_code))]
