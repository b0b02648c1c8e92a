"""The header fields of one message: ordered, names case-blind, compact forms known (RFC 3261 7.3).

A field is kept as its name and its value, and nobody looks into the value until somebody asks. In this
interface a name is the lower-case long form: "call-id", "via". A peer's spelling of a name is kept on output;
names that we add are written as the RFC writes them. Left out: what the values mean (fields.py, uri.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from switch.sip.errors import malformed
from switch.sip.grammar import WSP, first_comma, is_token, split_commas

# 7.3.3 and the registry of SIP parameters
COMPACT_FORMS: Final = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}

_CANONICAL_NAMES: Final = (  # noqa: SIM905 - one name a line would be two screens
    "Accept Accept-Contact Accept-Encoding Accept-Language Alert-Info Allow Allow-Events Answer-Mode "
    "Authentication-Info Authorization Call-ID Call-Info Contact Content-Disposition Content-Encoding "
    "Content-Language Content-Length Content-Type CSeq Date Diversion Error-Info Event Expires Flow-Timer "
    "From Geolocation History-Info Identity Identity-Info In-Reply-To Info-Package Join Max-Breadth "
    "Max-Forwards MIME-Version Min-Expires Min-SE Organization P-Access-Network-Info P-Asserted-Identity "
    "P-Associated-URI P-Charging-Vector P-Early-Media P-Preferred-Identity Path Priority Privacy "
    "Proxy-Authenticate Proxy-Authorization Proxy-Require RAck Reason Record-Route Recv-Info Refer-Sub "
    "Refer-To Referred-By Reject-Contact Remote-Party-ID Replaces Reply-To Request-Disposition Require "
    "Retry-After Route RSeq Server Service-Route Session-Expires Session-ID SIP-ETag SIP-If-Match Subject "
    "Subscription-State Supported Target-Dialog Timestamp To Unsupported User-Agent Via Warning "
    "WWW-Authenticate"
).split(" ")

_CANONICAL: Final = {name.lower(): name for name in _CANONICAL_NAMES}


def _spellings() -> dict[str, str]:
    """As written -> key, for the spellings of nearly every message; any other goes through key_of.

    Each key is one object, so that comparing keys is mostly comparing pointers.
    """
    keys = {key: key for key in _CANONICAL}
    spellings = dict(keys)
    for key, name in _CANONICAL.items():
        spellings |= dict.fromkeys((name, name.upper(), name.title()), keys[key])
    for compact, key in COMPACT_FORMS.items():
        spellings |= dict.fromkeys((compact, compact.upper()), keys[key])
    return spellings


_KEYS: Final = _spellings()


def key_of(name: str) -> str:
    """Any spelling of a field name -> its lower-case long form."""
    key = _KEYS.get(name)
    if key is not None:
        return key
    if not is_token(name):
        raise ValueError(f"no field name: {name!r}")
    lowered = name.lower()
    return COMPACT_FORMS.get(lowered, lowered)


def canonical_name(key: str) -> str:
    """The spelling for a name that we write: "call-id" -> "Call-ID", "x-own" -> "X-Own"."""
    return _CANONICAL.get(key) or "-".join(part.capitalize() for part in key.split("-"))


def unfold(lines: list[str]) -> list[str]:
    """7.3.1: a line that begins with white space continues the one before; the fold is one space."""
    if not any(line.startswith((" ", "\t")) for line in lines):
        return lines
    unfolded: list[list[str]] = []
    for line in lines:
        if not line.startswith((" ", "\t")):
            unfolded.append([line])
        elif unfolded:
            unfolded[-1].append(line.strip(WSP))
        else:
            raise malformed("header field", line)
    return [" ".join(pieces) for pieces in unfolded]


def split_field(line: str) -> tuple[str, str, str] | None:
    """An unfolded line -> (name, ": ", value), or None when it has no field name before a colon.

    HCOLON allows white space before the colon. Nothing but a token may stand before that: str.lower() turns
    some letters beyond ASCII into ASCII ones.
    """
    name, colon, value = line.partition(":")
    name = name.rstrip(WSP)
    return (name, ": ", value.strip(WSP)) if colon and is_token(name) else None


class Headers:
    """Ordered header fields. Names passed in are lower-case long forms; `add` and `set` take any spelling."""

    __slots__ = ("_fields", "_first", "_keys")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._keys: list[str] = []
        # (name as written, ":", what follows) for each key: joined, they are the line on the wire
        self._fields: list[tuple[str, str, str]] = []
        # key -> its first field; built when first asked for, kept by small changes, dropped by large ones
        self._first: dict[str, tuple[str, str, str]] | None = None
        for name, value in fields:
            self.add(name, value)

    @classmethod
    def from_lines(cls, lines: list[str]) -> Headers:
        """From header lines as received. Raises SipParseError."""
        headers = cls()
        fields = [line.partition(":") for line in lines]
        keys: list[Any] = [_KEYS.get(name) if colon else None for name, colon, _ in fields]
        if None in keys and not _name_unknown(keys, fields):
            fields = [_split_field_strictly(line) for line in unfold(lines)]
            keys = [key_of(name) for name, _, _ in fields]
        headers._fields = fields
        headers._keys = keys
        headers._first = None
        return headers

    def _index(self) -> dict[str, tuple[str, str, str]]:
        first = self._first
        if first is None:
            first = dict(zip(self._keys, self._fields))  # noqa: B905 - equally long; strict= costs time here
            if len(first) != len(self._keys):
                # From the last to the first, so that the first field of a name is the one that stays.
                first = dict(zip(reversed(self._keys), reversed(self._fields), strict=True))
            self._first = first
        return first

    def get(self, name: str) -> str | None:
        """The value of the first field of that name, whole and unsplit."""
        field = (self._first or self._index()).get(name)
        if field is None:
            assert name == key_of(name), name
            return None
        return field[2].strip(WSP)

    def get_all(self, name: str) -> list[str]:
        """The values of every field of that name, each whole: right for credentials and challenges."""
        first = self._first or self._index()
        if name not in first:
            return []
        if len(first) == len(self._keys):
            return [first[name][2].strip(WSP)]
        return [
            field[2].strip(WSP) for key, field in zip(self._keys, self._fields, strict=True) if key == name
        ]

    def values(self, name: str) -> list[str]:
        """The elements of all fields of that name, comma lists split (7.3.1), quotes and <> respected."""
        values = self.get_all(name)
        if len(values) == 1:
            return split_commas(values[0])
        return [element for value in values for element in split_commas(value)]

    def tokens(self, name: str) -> list[str]:
        """Option tags, methods and the like: the elements without empty ones."""
        return [element for element in self.values(name) if element]

    def first_value(self, name: str) -> str | None:
        """The first element of the first field of that name."""
        value = self.get(name)
        if value is None or "," not in value:
            return value
        comma = first_comma(value)
        return value if comma < 0 else value[:comma].rstrip(WSP)

    def count(self, name: str) -> int:
        """How many fields (not elements) of that name there are."""
        return self._keys.count(name)

    def has_repeats(self) -> bool:
        """Whether any name occurs twice. Cheap; the answer is no for most messages."""
        return len(self._first or self._index()) != len(self._keys)

    def add(self, name: str, value: str) -> None:
        """Append a field."""
        key = key_of(name)
        field = (_written(name, key), ": ", _clean(value))
        self._keys.append(key)
        self._fields.append(field)
        if self._first is not None:
            self._first.setdefault(key, field)

    def prepend(self, name: str, value: str) -> None:
        """Put a field before all others: a Via of our own."""
        key = key_of(name)
        field = (_written(name, key), ": ", _clean(value))
        self._keys.insert(0, key)
        self._fields.insert(0, field)
        if self._first is not None:
            self._first[key] = field

    def set(self, name: str, value: str) -> None:
        """One field of that name, at the place of the first one there was, or at the end."""
        key = key_of(name)
        if key not in self._keys:
            self.add(name, value)
            return
        at = self._keys.index(key)
        if self._keys.count(key) > 1:
            self.remove(key)
            self._keys.insert(at, key)
            self._fields.insert(at, ("", "", ""))
        self._replace_first(key, at, (_written(name, key), ": ", _clean(value)))

    def extend_value(self, name: str, addition: str) -> None:
        """Append to the value of the first field: a tag, a parameter."""
        at = self._keys.index(name)
        written, colon, value = self._fields[at]
        self._replace_first(name, at, (written, colon, value + _clean(addition)))

    def set_first_value(self, name: str, value: str) -> None:
        """Replace the first element of the first field: the top Via, the top Route."""
        at = self._keys.index(name)
        written, _, whole = self._fields[at]
        comma = first_comma(whole)
        text = _clean(value) if comma < 0 else _clean(value) + whole[comma:]
        self._replace_first(name, at, (written, ": ", text))

    def _replace_first(self, key: str, at: int, field: tuple[str, str, str]) -> None:
        """Another first field for this key, at its place."""
        self._fields[at] = field
        if self._first is not None:
            self._first[key] = field

    def remove_first_value(self, name: str) -> None:
        """Take the first element of the first field away, and the field with it when it was the only one."""
        at = self._keys.index(name)
        written, _, whole = self._fields[at]
        comma = first_comma(whole)
        if comma < 0:
            self.remove_first_field(name)
            return
        self._replace_first(name, at, (written, ": ", whole[comma + 1 :].strip(WSP)))

    def remove_first_field(self, name: str) -> None:
        """Take the first field of that name away, with all its elements."""
        at = self._keys.index(name)
        del self._fields[at], self._keys[at]
        self._first = None

    def remove(self, name: str) -> None:
        """Take every field of that name away; nothing happens when there is none."""
        if name not in self._keys:
            return
        kept = [n for n, key in enumerate(self._keys) if key != name]
        self._fields = [self._fields[n] for n in kept]
        self._keys = [self._keys[n] for n in kept]
        self._first = None

    def select(self, names: Collection[str]) -> Headers:
        """A new Headers with only the fields of these names, in their order and spelling."""
        chosen = Headers()
        keys, fields = chosen._keys, chosen._fields
        for key, field in zip(self._keys, self._fields):  # noqa: B905 - equally long; strict= costs time here
            if key in names:
                keys.append(key)
                fields.append(field)
        return chosen

    def copy(self) -> Headers:
        copied = Headers()
        copied._keys = self._keys.copy()
        copied._fields = self._fields.copy()
        return copied

    def items(self) -> Iterator[tuple[str, str]]:
        """(name as written, value) in order."""
        for name, _, value in self._fields:
            yield name, value.strip(WSP)

    def keys(self) -> list[str]:
        """The key of every field, in order, repeats included."""
        return self._keys.copy()

    def to_text(self, *, content_length: int) -> str:
        """The fields as they go on the wire, with exactly one Content-Length, and that one true (20.14)."""
        count = self._keys.count("content-length")
        if count == 1 and self.get("content-length") == str(content_length):
            return "\r\n".join(map("".join, self._fields))
        if count == 0:
            return "\r\n".join([*map("".join, self._fields), f"Content-Length: {content_length}"])
        exact = self.copy()
        exact.set("content-length", str(content_length))
        return exact.to_text(content_length=content_length)

    def __contains__(self, name: str) -> bool:
        return name in (self._first or self._index())

    def __len__(self) -> int:
        return len(self._keys)

    def __eq__(self, other: object) -> bool:
        """Same names (case-blind), same values, same order."""
        if not isinstance(other, Headers):
            return NotImplemented
        if self._keys != other._keys:
            return False
        return [value for _, value in self.items()] == [value for _, value in other.items()]

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Headers({list(self.items())!r})"


def _clean(value: str) -> str:
    """A line end in a value would be a second field on the wire, written by whoever supplied the value."""
    if "\r" in value or "\n" in value:
        raise ValueError(f"a line end in a header value: {value!r}")
    return value


def _name_unknown(keys: list[str | None], fields: list[tuple[str, str, str]]) -> bool:
    """Fill in the keys of names in unusual spellings. False when there are folds, so that lines are not fields."""
    for at, key in enumerate(keys):
        if key is None:
            name, colon, value = fields[at]
            if not colon or name.startswith((" ", "\t")):
                return False
            plain_name = name.rstrip(WSP)
            if not is_token(plain_name):
                raise malformed("header field", name)
            keys[at] = key_of(plain_name)
            if plain_name != name:
                fields[at] = (plain_name, colon, value)
    return True


def _split_field_strictly(line: str) -> tuple[str, str, str]:
    field = split_field(line)
    if field is None:
        raise malformed("header field", line)
    return field


def _written(name: str, key: str) -> str:
    """A name given as its key is written canonically; another spelling stays as its sender wrote it."""
    return canonical_name(key) if name == key else name
