"""A plan: what happens to calls to a number, node by node. Customers write it as TOML (`plan_text.py`); the books and
the switch carry it as these values; `switch/journey/plan_walk.py` walks it.

Nodes name each other. `otherwise` is what is next when a node comes to nothing, "" the plan's `fallback`; `busy` is the
same where everybody was busy, "" as `otherwise`. Times are whole seconds, numbers E.164. New fields go to the end, with
a default.
"""

import enum
from collections.abc import Iterator
from typing import Final

import msgspec

WITHHELD: Final = "withheld"
RING_S_DEFAULT: Final = 20  # five times the ringing tone
OWN_PROMPT: Final = "own."  # before the name of a recording of the account's own


class Strategy(enum.Enum):
    """Whom of several to ring: all at once, in their order, in turn from call to call, or who has rested longest."""

    TOGETHER = "together"
    IN_ORDER = "in_order"
    ROUND_ROBIN = "round_robin"
    LONGEST_IDLE = "longest_idle"


class MemberKind(enum.Enum):
    LINE = "line"
    NUMBER = "number"


class Member(msgspec.Struct, frozen=True):
    """A line by its user or a number. `ring_s` 0: as long as the others."""

    kind: MemberKind
    value: str
    ring_s: int = 0

    def __str__(self) -> str:
        return f"{self.kind.value} {self.value}"


class Hours(msgspec.Struct, frozen=True, tag="hours"):
    """Whether it is now in a time set of conf/time-sets.toml."""

    time_set: str
    then: str
    otherwise: str = ""


class Callers(msgspec.Struct, frozen=True, tag="callers"):
    """Whether the caller is in a list: numbers, beginnings ("+441632*") or WITHHELD."""

    patterns: tuple[str, ...]
    then: str
    otherwise: str = ""


class Share(msgspec.Struct, frozen=True):
    percent: int
    then: str


class Split(msgspec.Struct, frozen=True, tag="split"):
    """By chance. The shares are 100 together."""

    shares: tuple[Share, ...]


class Line(msgspec.Struct, frozen=True, tag="line"):
    """A line. `follows_diverts`: its own diverts apply."""

    user: str
    ring_s: int = RING_S_DEFAULT
    follows_diverts: bool = False
    otherwise: str = ""
    busy: str = ""


class ExternalNumber(msgspec.Struct, frozen=True, tag="number"):
    """A number, which the account pays for."""

    e164: str
    ring_s: int = RING_S_DEFAULT
    otherwise: str = ""
    busy: str = ""


class Group(msgspec.Struct, frozen=True, tag="group"):
    """Several. `skips_busy`: lines in a call are left out."""

    members: tuple[Member, ...]
    strategy: Strategy = Strategy.TOGETHER
    ring_s: int = RING_S_DEFAULT
    skips_busy: bool = True
    otherwise: str = ""
    busy: str = ""


class Queue(msgspec.Struct, frozen=True, tag="queue"):
    """Callers wait with music, and are served in their order. `full` is where a call goes that finds no room."""

    members: tuple[Member, ...]
    strategy: Strategy = Strategy.LONGEST_IDLE
    ring_s: int = RING_S_DEFAULT
    waiting_max: int = 10
    wait_s_max: int = 600
    music: str = ""
    says_position: bool = True
    full: str = ""
    otherwise: str = ""


class Menu(msgspec.Struct, frozen=True, tag="menu"):
    """A prompt, and a key or an extension as the answer.

    An extension of `extension_digits` (0: none) is the line `extension_prefix` + digits. `wrong` is where a key goes
    that leads nowhere, "" says the menu again; `tries` counts both silences and wrong keys.
    """

    prompt: str
    press: dict[str, str]
    extension_digits: int = 0
    extension_prefix: str = ""
    timeout_s: int = 5
    tries: int = 3
    ring_s: int = RING_S_DEFAULT
    wrong: str = ""
    otherwise: str = ""


class Announce(msgspec.Struct, frozen=True, tag="announce"):
    """Words. With `then` the call goes on after them, without it they are its end."""

    prompt: str
    then: str = ""
    otherwise: str = ""


class Voicemail(msgspec.Struct, frozen=True, tag="voicemail"):
    """The mailbox of a line."""

    user: str
    otherwise: str = ""


class OtherPlan(msgspec.Struct, frozen=True, tag="plan"):
    """Another plan of the account. `otherwise` is next when that one has nowhere left to go."""

    name: str
    otherwise: str = ""


Decision = Hours | Callers | Split
Node = (
    Hours | Callers | Split | Line | ExternalNumber | Group | Queue | Menu | Announce | Voicemail | OtherPlan
)


class Plan(msgspec.Struct, frozen=True):
    """`start` is the first node. `fallback` is the node for everything that says no other, "" for none."""

    start: str
    nodes: dict[str, Node]
    fallback: str = ""
    about: str = ""


def filed_prompt(name: str, account_id: int) -> str:
    """As the media server knows it: a recording of the account's own is filed under the account."""
    own = name.removeprefix(OWN_PROMPT)
    return name if own == name else f"{OWN_PROMPT}{account_id}.{own}"


def nexts(node: Node) -> Iterator[tuple[str, str]]:
    """The key, as it is written, and the name of each node that this one may lead to."""
    if isinstance(node, Split):
        for share in node.shares:
            yield "split", share.then
        return
    if isinstance(node, Menu):
        for name in node.press.values():
            yield "press", name
    if isinstance(node, (Hours, Callers, Announce)) and node.then:
        yield "then", node.then
    if isinstance(node, (Line, ExternalNumber, Group)) and node.busy:
        yield "busy", node.busy
    if isinstance(node, Queue) and node.full:
        yield "full", node.full
    if isinstance(node, Menu) and node.wrong:
        yield "wrong", node.wrong
    if node.otherwise:
        yield "else", node.otherwise


def lines_of(plan: Plan) -> dict[str, str]:
    """The lines that it names, and the node that names each first."""
    named: dict[str, str] = {}
    for name, node in plan.nodes.items():
        if isinstance(node, (Line, Voicemail)):
            named.setdefault(node.user, name)
        elif isinstance(node, (Group, Queue)):
            for member in node.members:
                if member.kind is MemberKind.LINE:
                    named.setdefault(member.value, name)
    return named


def time_sets_of(plan: Plan) -> dict[str, str]:
    """The time sets that it names, and the node that names each first."""
    named: dict[str, str] = {}
    for name, node in plan.nodes.items():
        if isinstance(node, Hours):
            named.setdefault(node.time_set, name)
    return named


def plans_of(plan: Plan) -> dict[str, str]:
    """The plans that it leads to, and the node that leads to each first."""
    named: dict[str, str] = {}
    for name, node in plan.nodes.items():
        if isinstance(node, OtherPlan):
            named.setdefault(node.name, name)
    return named


def prompts_of(plan: Plan) -> dict[str, str]:
    """The shipped prompts that it plays (not the account's own), and the node that plays each first."""
    named: dict[str, str] = {}
    for name, node in plan.nodes.items():
        if isinstance(node, (Menu, Announce)) and not node.prompt.startswith(OWN_PROMPT):
            named.setdefault(node.prompt, name)
    return named
