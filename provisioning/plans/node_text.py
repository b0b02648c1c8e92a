"""One node of a plan: a table of TOML, read key by key. What cannot be read is noted and the rest is read on."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, Final

from provisioning import rules
from provisioning.numbers import parse_number
from provisioning.plans.plan import (
    OWN_PROMPT,
    RING_S_DEFAULT,
    WITHHELD,
    Announce,
    Callers,
    ExternalNumber,
    Group,
    Hours,
    Line,
    Member,
    MemberKind,
    Menu,
    Node,
    OtherPlan,
    Queue,
    Share,
    Split,
    Strategy,
    Voicemail,
)
from provisioning.problems import InvalidValue, shown

# A phone of every member rings at once where they ring together: a floor of an office.
MEMBERS_MAX: Final = 20
# A list of people; what is longer is a data base.
CALLERS_MAX: Final = 500
SHARES_MAX: Final = 10
WAITING_MAX: Final = 100  # each is a call that holds a port of the relay and plays music
WAIT_S_MAX: Final = 3600
EXTENSION_DIGITS_MAX: Final = 6
TIMEOUT_S_MAX: Final = 60
TRIES_MAX: Final = 10
NAME_CHARS_MAX: Final = 40
PREFIX_DIGITS_MIN: Final = 1

_KEYS_OF_A_PHONE: Final = frozenset("0123456789*#")
_NAME_CHARS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
_DIGITS: Final = frozenset("0123456789")
_PREMIUM: Final = "+449"
MEMBER_EXPECTED: Final = (
    '"line USER" or "number NUMBER", with how long it rings or without, like "line 1001 for 15 s"'
)
PATTERN_EXPECTED: Final = f'a number, a beginning like "01632*", or "{WITHHELD}"'


class ExpectedError(Exception):
    """A reader's no: what would have been right, and what was found where that is not the whole value."""

    def __init__(self, expected: str, found: str = "") -> None:
        super().__init__(expected)
        self.expected = expected
        self.found = found


class NodeText:
    """A table and the key that says what kind of node it is. `problems` are key, found, expected."""

    def __init__(self, table: dict[str, Any], kind: str) -> None:
        self.problems: list[tuple[str, str, str]] = []
        self._table = table
        self._kind = kind
        self._known = [kind]

    def node(self) -> Node | None:
        """None where something that cannot have a default is wrong."""
        found = KINDS[self._kind](self)
        for key in self._table:
            if key not in self._known:
                close = get_close_matches(key[:60], self._known, n=1, cutoff=0.6)
                expected = f"perhaps {close[0]}" if close else f"one of {', '.join(self._known)}"
                self.problems.append((key, "an unknown key", expected))
        return found if not self.problems else None

    def value(self, read: Callable[[object], Any], default: Any) -> Any:
        """The value of the key that names the kind."""
        return self._read(self._kind, self._table[self._kind], read, default)

    def get(self, key: str, read: Callable[[object], Any], default: Any) -> Any:
        self._known.append(key)
        if key not in self._table:
            return default
        return self._read(key, self._table[key], read, default)

    def next(self, key: str = "else", *, is_needed: bool = False) -> str:
        """The name of another node; whether there is one of that name the plan knows."""
        if is_needed and key not in self._table:
            self.problems.append((key, "none", "the name of the node that is next"))
        name: str = self.get(key, read_text, "")
        return name

    def ring_s(self) -> int:
        ring_s: int = self.get("ring", read_ring_s, RING_S_DEFAULT)
        return ring_s

    def note(self, key: str, found: str, expected: str) -> None:
        self.problems.append((key, found, expected))

    def _read(self, key: str, value: object, read: Callable[[object], Any], default: Any) -> Any:
        try:
            return read(value)
        except ExpectedError as problem:
            self.problems.append((key, problem.found or show(value), problem.expected))
        except InvalidValue as problem:
            self.problems.append((key, show(value), problem.expected))
        return default


def show(value: object) -> str:
    if isinstance(value, str):
        return shown(value)
    text = (
        str(value).lower()
        if isinstance(value, bool)
        else "a table"
        if isinstance(value, dict)
        else str(value)
    )
    return text if len(text) <= 60 else text[:57] + "..."


# --- single values


def read_text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ExpectedError("a name in quotes")
    return value


def read_yes(value: object) -> bool:
    if not isinstance(value, bool):
        raise ExpectedError("true or false, without quotes")
    return value


def whole(least: int, most: int) -> Callable[[object], int]:
    def read_whole(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ExpectedError(f"a whole number from {least} to {most}")
        return value

    return read_whole


read_ring_s: Final = whole(rules.RING_S_MIN, rules.RING_S_MAX)


def read_user(value: object) -> str:
    if not isinstance(value, str):
        raise ExpectedError("the name of a line in quotes")
    return rules.check_user(value)


def read_number(value: object) -> str:
    if not isinstance(value, str):
        raise ExpectedError("a telephone number in quotes")
    number = parse_number(value)
    if number.startswith(_PREMIUM):
        raise ExpectedError("a number that is no premium rate number: calls are not sent there")
    return number


def read_name(value: object) -> str:
    """Of a time set or a plan."""
    if (
        not isinstance(value, str)
        or not 0 < len(value) <= NAME_CHARS_MAX
        or not _NAME_CHARS.issuperset(value)
    ):
        raise ExpectedError(f"a name of 1 to {NAME_CHARS_MAX} small letters, digits, - and _")
    return value


def read_prompt(value: object) -> str:
    name = value.removeprefix(OWN_PROMPT) if isinstance(value, str) else value
    try:
        read_name(name)
    except ExpectedError as problem:
        raise ExpectedError(
            f'{problem.expected}, with "{OWN_PROMPT}" before a recording of your own'
        ) from None
    return str(value)


def read_strategy(value: object) -> Strategy:
    for strategy in Strategy:
        if strategy.value == value:
            return strategy
    raise ExpectedError("one of " + ", ".join(f'"{strategy.value}"' for strategy in Strategy))


def read_member(value: object) -> Member:
    """ "line 1001", "number 07700 900123 for 30 s"."""
    if not isinstance(value, str) or len(value) > rules.TEXT_CHARS_MAX:
        raise ExpectedError(MEMBER_EXPECTED, show(value))
    who, has_time, time = value.strip(" ").partition(" for ")
    kind, _, name = who.partition(" ")
    ring_s = _seconds(time, value) if has_time else 0
    try:
        if kind == MemberKind.LINE.value:
            return Member(MemberKind.LINE, rules.check_user(name.strip(" ")), ring_s)
        if kind == MemberKind.NUMBER.value:
            return Member(MemberKind.NUMBER, read_number(name), ring_s)
    except InvalidValue as problem:
        raise ExpectedError(problem.expected, shown(value)) from None
    raise ExpectedError(MEMBER_EXPECTED, shown(value))


def _seconds(text: str, value: str) -> int:
    digits = text.removesuffix("s").strip(" ")
    if 0 < len(digits) <= 3 and _DIGITS.issuperset(digits):
        seconds = int(digits)
        if rules.RING_S_MIN <= seconds <= rules.RING_S_MAX:
            return seconds
    raise ExpectedError(f"a time from {rules.RING_S_MIN} to {rules.RING_S_MAX} s", shown(value))


def read_members(value: object) -> tuple[Member, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MEMBERS_MAX:
        raise ExpectedError(f"a list of 1 to {MEMBERS_MAX} of {MEMBER_EXPECTED}")
    members = [read_member(item) for item in value]
    names = [str(member) for member in members]
    for name in names:
        if names.count(name) > 1:
            raise ExpectedError("each of them once", f"{name} twice")
    return tuple(members)


def read_pattern(value: object) -> str:
    """A number in any spelling, or its beginning with a star."""
    if value == WITHHELD:
        return WITHHELD
    if not isinstance(value, str):
        raise ExpectedError(PATTERN_EXPECTED, show(value))
    try:
        return _beginning(value) if value.endswith("*") else parse_number(value)
    except InvalidValue:
        raise ExpectedError(PATTERN_EXPECTED, shown(value)) from None


def _beginning(text: str) -> str:
    digits = text.removesuffix("*").translate(_SEPARATORS)
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    elif digits.startswith("0"):
        digits = "+44" + digits[1:]
    plain = digits.removeprefix("+")
    if (
        not digits.startswith("+")
        or not PREFIX_DIGITS_MIN <= len(plain) <= 15
        or not _DIGITS.issuperset(plain)
    ):
        raise ExpectedError(PATTERN_EXPECTED, shown(text))
    return f"{digits}*"


_SEPARATORS: Final = dict.fromkeys(map(ord, " -()."))


def read_patterns(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= CALLERS_MAX:
        raise ExpectedError(f"a list of 1 to {CALLERS_MAX} numbers, beginnings and {WITHHELD}")
    return tuple(dict.fromkeys(read_pattern(item) for item in value))


def read_shares(value: object) -> tuple[Share, ...]:
    if not isinstance(value, dict) or not 0 < len(value) <= SHARES_MAX:
        raise ExpectedError(
            f"1 to {SHARES_MAX} nodes and their parts of 100, like {{ north = 60, south = 40 }}"
        )
    percent = whole(1, 100)
    shares = tuple(Share(percent(part), name) for name, part in value.items())
    total = sum(share.percent for share in shares)
    if total != 100:
        raise ExpectedError("parts that are 100 together", str(total))
    return shares


def read_press(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not value:
        raise ExpectedError('keys and the nodes that they lead to, like { 1 = "sales", 2 = "support" }')
    for key, name in value.items():
        if len(key) != 1 or key not in _KEYS_OF_A_PHONE:
            raise ExpectedError("a key of a telephone: 0 to 9, * or #", shown(key))
        if not isinstance(name, str):
            raise ExpectedError("the name of a node", show(name))
    return dict(value)


# --- kinds


def _hours(text: NodeText) -> Node:
    return Hours(text.value(read_name, ""), text.next("then", is_needed=True), text.next())


def _callers(text: NodeText) -> Node:
    return Callers(text.value(read_patterns, ()), text.next("then", is_needed=True), text.next())


def _split(text: NodeText) -> Node:
    return Split(text.value(read_shares, ()))


def _line(text: NodeText) -> Node:
    otherwise, busy = text.next(), text.next("busy")
    # Who says what is next means that, and not what the line has set for itself.
    follows = text.get("diverts", read_yes, not otherwise and not busy)
    return Line(text.value(read_user, ""), text.ring_s(), follows, otherwise, busy)


def _number(text: NodeText) -> Node:
    return ExternalNumber(text.value(read_number, ""), text.ring_s(), text.next(), text.next("busy"))


def _group(text: NodeText) -> Node:
    group = Group(
        members=text.value(read_members, ()),
        strategy=text.get("strategy", read_strategy, Strategy.TOGETHER),
        ring_s=text.ring_s(),
        skips_busy=text.get("skip_busy", read_yes, True),
        otherwise=text.next(),
        busy=text.next("busy"),
    )
    if group.strategy is Strategy.TOGETHER:
        for member in group.members:
            if member.ring_s:
                text.note(
                    "group", f"{member} for {member.ring_s} s", "one ring for all, as they ring together"
                )
    return group


def _queue(text: NodeText) -> Node:
    queue = Queue(
        members=text.value(read_members, ()),
        strategy=text.get("strategy", read_strategy, Strategy.LONGEST_IDLE),
        ring_s=text.ring_s(),
        waiting_max=text.get("waiting_max", whole(1, WAITING_MAX), 10),
        wait_s_max=text.get("wait_max", whole(10, WAIT_S_MAX), 600),
        music=text.get("music", read_prompt, ""),
        says_position=text.get("say_position", read_yes, True),
        full=text.next("full"),
        otherwise=text.next(),
    )
    for member in queue.members:
        if member.ring_s:
            text.note("queue", f"{member} for {member.ring_s} s", "one ring for all members of a queue")
    return queue


def _menu(text: NodeText) -> Node:
    menu = Menu(
        prompt=text.value(read_prompt, ""),
        press=text.get("press", read_press, {}),
        extension_digits=text.get("extensions", whole(2, EXTENSION_DIGITS_MAX), 0),
        extension_prefix=text.get("extension_prefix", _read_extension_prefix, ""),
        timeout_s=text.get("timeout", whole(1, TIMEOUT_S_MAX), 5),
        tries=text.get("tries", whole(1, TRIES_MAX), 3),
        ring_s=text.ring_s(),
        wrong=text.next("wrong"),
        otherwise=text.next(),
    )
    if not menu.press and not menu.extension_digits and not text.problems:
        text.note("menu", "nothing to press", "press, or extensions")
    if menu.extension_prefix and not menu.extension_digits:
        text.note(
            "extension_prefix", shown(menu.extension_prefix), "extensions, the number of digits, beside it"
        )
    return menu


def _read_extension_prefix(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ExpectedError("what stands before the digits in the names of the lines")
    return rules.check_user(value)


def _announce(text: NodeText) -> Node:
    return Announce(text.value(read_prompt, ""), text.next("then"), text.next())


def _voicemail(text: NodeText) -> Node:
    return Voicemail(text.value(read_user, ""), text.next())


def _plan(text: NodeText) -> Node:
    return OtherPlan(text.value(read_name, ""), text.next())


KINDS: Final[dict[str, Callable[[NodeText], Node]]] = {
    "hours": _hours,
    "callers": _callers,
    "split": _split,
    "line": _line,
    "number": _number,
    "group": _group,
    "queue": _queue,
    "menu": _menu,
    "announce": _announce,
    "voicemail": _voicemail,
    "plan": _plan,
}
