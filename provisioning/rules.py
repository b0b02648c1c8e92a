"""What accounts, lines and movements of money may look like: every rule and limit of the books, without I/O.

Each `check_` returns the value as it is to be stored, or raises InvalidValue with what was found and
expected.
"""

from collections.abc import Callable

from provisioning.model import AccountKind, LineAddress, LineKind
from provisioning.numbers import parse_number
from provisioning.problems import InvalidValue
from rating.money import format_pounds

ACCOUNT_NAME_CHARS_MAX = 64
USER_CHARS_MAX = 64  # phones store it in fields of 64
USER_ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-+")
# A line of this name could never be called, because an emergency is recognised before anything else.
USERS_RESERVED = frozenset(("999", "112", "18000"))
PASSWORD_CHARS_MIN = 8  # NIST SP 800-63B's least; a generated one has 20
PASSWORD_CHARS_MAX = 128
REALM_CHARS_MAX = 253  # a domain name (RFC 1035 2.3.4)
TARIFF_CHARS_MAX = 64
TEXT_CHARS_MAX = 250  # an address or a memo: fits a form field, a log line and a letter
CALLS_MAX_MAX = 10_000  # ten times what one switch carries at once; more is a typing error
CALLS_PER_SECOND_MAX_MAX = 1000  # what one switch is built for is 200
# A phone has to be reached, and a caller gives up within two minutes (the exchange's own limit is that, too).
RING_S_MIN, RING_S_MAX = 5, 120
CREDIT_MICROS_MAX = 1_000_000 * 1_000_000  # a million pounds in one movement is a typing error
IDEMPOTENCY_KEY_CHARS_MAX = 128


def check_account_name(name: str) -> str:
    expected = f"1 to {ACCOUNT_NAME_CHARS_MAX} printable characters, no space at the ends, no leading '-'"
    _check(
        name, "account name", expected, lambda text: _is_neat(text, ACCOUNT_NAME_CHARS_MAX) and text[0] != "-"
    )
    return name


def check_user(user: str) -> str:
    """The user part of a line's AOR. Lower case only, so that two lines never differ by case alone."""
    expected = (
        f"1 to {USER_CHARS_MAX} lower-case letters, digits or . _ - +, starting with a letter, a digit or +"
    )
    _check(user, "line", expected, _is_user)
    if user in USERS_RESERVED:
        raise InvalidValue("line", user, "a name that is not an emergency number")
    return user


def check_password(password: str, *, user: str) -> str:
    """Raises without showing the password: error texts are logged and pasted into tickets."""
    length_ok = PASSWORD_CHARS_MIN <= len(password) <= PASSWORD_CHARS_MAX
    if not length_ok or not password.isprintable() or password == user or password != password.strip(" "):
        raise InvalidValue(
            "password",
            "(not shown)",
            f"{PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} printable characters, not the user,"
            " no space at the ends",
        )
    return password


def check_realm(realm: str) -> str:
    expected = "a domain such as sip.example.com"
    return _check(realm, "realm", expected, lambda text: _is_neat(text, REALM_CHARS_MAX) and '"' not in text)


def check_tariff(name: str) -> str:
    return _check(name, "tariff", "the name of a tariff", lambda text: _is_neat(text, TARIFF_CHARS_MAX))


def check_text(what: str, text: str) -> str:
    """An address or a memo; may be empty."""
    expected = f"at most {TEXT_CHARS_MAX} printable characters"
    return _check(text, what, expected, lambda text: len(text) <= TEXT_CHARS_MAX and text.isprintable())


def check_calls_max(calls_max: int) -> int:
    """0 means: no limit of its own, the configured one holds."""
    if not 0 <= calls_max <= CALLS_MAX_MAX:
        raise InvalidValue("calls at once", str(calls_max), f"0 (the configured limit) to {CALLS_MAX_MAX}")
    return calls_max


def check_calls_per_second_max(calls_per_second_max: int) -> int:
    """0 means: no limit."""
    if not 0 <= calls_per_second_max <= CALLS_PER_SECOND_MAX_MAX:
        expected = f"0 (no limit) to {CALLS_PER_SECOND_MAX_MAX}"
        raise InvalidValue("calls per second", str(calls_per_second_max), expected)
    return calls_per_second_max


def check_kind(kind: LineKind, addresses: tuple[LineAddress, ...]) -> LineKind:
    """A phone registers; only what is a trunk may be known by its address."""
    if addresses and kind is not LineKind.TRUNK:
        raise InvalidValue("kind", kind.value, "trunk, as the line has addresses")
    return kind


def check_ring_s(ring_s: int) -> int:
    """How long a line rings before a divert on no reply."""
    if not RING_S_MIN <= ring_s <= RING_S_MAX:
        raise InvalidValue("ring time", f"{ring_s} s", f"{RING_S_MIN} to {RING_S_MAX} s")
    return ring_s


def check_credit_limit(credit_limit_micros: int, kind: AccountKind) -> int:
    if kind is AccountKind.PREPAID and credit_limit_micros != 0:
        raise InvalidValue(
            "credit limit", format_pounds(credit_limit_micros), "none: a prepaid account stops at zero"
        )
    if not 0 <= credit_limit_micros <= CREDIT_MICROS_MAX:
        raise InvalidValue(
            "credit limit", format_pounds(credit_limit_micros), f"0 to {format_pounds(CREDIT_MICROS_MAX)}"
        )
    return credit_limit_micros


def check_credit(amount_micros: int) -> int:
    if not 0 < amount_micros <= CREDIT_MICROS_MAX:
        raise InvalidValue(
            "credit",
            format_pounds(amount_micros),
            f"more than zero, at most {format_pounds(CREDIT_MICROS_MAX)}",
        )
    return amount_micros


def check_idempotency_key(key: str) -> str:
    expected = f"1 to {IDEMPOTENCY_KEY_CHARS_MAX} printable characters"
    return _check(key, "idempotency key", expected, lambda text: _is_neat(text, IDEMPOTENCY_KEY_CHARS_MAX))


def check_number_or_none(what: str, text: str) -> str:
    """A number in any spelling to E.164; an empty text stays empty."""
    if not text.strip(" "):
        return ""
    try:
        return parse_number(text)
    except InvalidValue as problem:
        raise InvalidValue(what, text, problem.expected) from None


def _check(text: str, what: str, expected: str, is_good: Callable[[str], bool]) -> str:
    if not is_good(text):
        raise InvalidValue(what, text, expected)
    return text


def _is_neat(text: str, chars_max: int) -> bool:
    return 0 < len(text) <= chars_max and text.isprintable() and text == text.strip(" ")


def _is_user(text: str) -> bool:
    return 0 < len(text) <= USER_CHARS_MAX and USER_ALPHABET.issuperset(text) and text[0] not in "._-"
