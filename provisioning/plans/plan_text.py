"""A plan as TOML, read and checked. Every problem is named at once, with node, key, value and what was expected.

    start = "opening"
    fallback = "message"

    [opening]
    hours = "office"
    then = "reception"
    else = "closed"

A table is a node; the one key that it has of KINDS says what it does. docs/plans.md explains them all.
"""

import tomllib
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from provisioning.plans.node_text import KINDS, NodeText
from provisioning.plans.plan import Callers, Hours, Node, Plan, Split, nexts
from provisioning.problems import ProvisioningProblem
from provisioning.problems import shown as shown_text

# The longest real plan (a menu of ten choices in front of ten groups) is a tenth of it.
TEXT_BYTES_MAX: Final = 64 * 1024
# Somebody must be able to read it; what is larger is several plans.
NODES_MAX: Final = 100
NAME_CHARS_MAX: Final = 40  # as trunks and tariffs; a name stands in notes and metrics
ABOUT_CHARS_MAX: Final = 250
SHOWN_CHARS_MAX: Final = 60

_NAME_CHARS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
NAME_EXPECTED: Final = f"a name of 1 to {NAME_CHARS_MAX} small letters, digits, - and _"
_TOP_KEYS: Final = ("start", "fallback", "about")


class PlanProblem(msgspec.Struct, frozen=True):
    """One thing wrong. `node` and `key` are "" where the plan as a whole is meant."""

    node: str
    key: str
    found: str
    expected: str

    def __str__(self) -> str:
        place = " ".join(part for part in (f"[{self.node}]" if self.node else "", self.key) if part)
        return (
            f"{place}: found {self.found}, expected {self.expected}"
            if place
            else (f"found {self.found}, expected {self.expected}")
        )


class PlanProblems(ProvisioningProblem):
    """The plan cannot be used; nothing was changed."""

    def __init__(self, problems: list[PlanProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def read_plan(text: str) -> Plan:
    """Raises PlanProblems with everything that is wrong in it."""
    plan, problems = examine_plan(text)
    if plan is None or problems:
        raise PlanProblems(problems)
    return plan


def examine_plan(text: str) -> tuple[Plan | None, list[PlanProblem]]:
    """The plan as far as it can be read (None: not at all), and what is wrong in it."""
    size = len(text.encode(errors="surrogateescape"))
    if size > TEXT_BYTES_MAX:
        return None, [PlanProblem("", "", f"{size} bytes", f"at most {TEXT_BYTES_MAX} bytes")]
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return None, [PlanProblem("", "", "a text that is not TOML", str(error))]
    except RecursionError:
        return None, [PlanProblem("", "", "tables or lists nested too deeply", "TOML")]
    reader = _PlanText(table)
    return reader.plan(), reader.problems


def is_plan_name(name: str) -> bool:
    return 0 < len(name) <= NAME_CHARS_MAX and _NAME_CHARS.issuperset(name)


def shown(value: object) -> str:
    """A value as it was written, near enough: escaped and shortened."""
    if isinstance(value, str):
        return shown_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "a table" if isinstance(value, dict) else str(value)
    return text if len(text) <= SHOWN_CHARS_MAX else text[: SHOWN_CHARS_MAX - 3] + "..."


class _PlanText:
    """One plan's tables on their way to nodes."""

    def __init__(self, table: dict[str, Any]) -> None:
        self.problems: list[PlanProblem] = []
        self._table = table
        self._nodes: dict[str, Node] = {}

    def plan(self) -> Plan:
        tables = {name: value for name, value in self._table.items() if isinstance(value, dict)}
        if len(tables) > NODES_MAX:
            self._note("", "", f"{len(tables)} nodes", f"at most {NODES_MAX}")
        for name, table in list(tables.items())[:NODES_MAX]:
            self._read_node(name, table)
        for key in self._table:
            if key not in tables and key not in _TOP_KEYS:
                expected = f"one of {', '.join(_TOP_KEYS)}, or a node: a table in square brackets"
                self._note("", key, "an unknown key", expected)
        start = self._name_of_node("start")
        if not start:
            self._note("", "start", "none", "the name of the node that calls come to first")
        plan = Plan(start, self._nodes, self._name_of_node("fallback"), self._about())
        for name, node in self._nodes.items():
            for key, following in nexts(node):
                self._check_name(name, key, following, tables)
        for key, following in (("start", plan.start), ("fallback", plan.fallback)):
            if following:
                self._check_name("", key, following, tables)
        self._check_decisions()
        return plan

    def _read_node(self, name: str, table: dict[str, Any]) -> None:
        if not is_plan_name(name):
            self._note(name, "", shown(name), NAME_EXPECTED)
            return
        kinds = [key for key in table if key in KINDS]
        if len(kinds) != 1:
            found = "nothing that says what it does" if not kinds else " and ".join(kinds)
            self._note(name, "", found, f"exactly one of {', '.join(KINDS)}")
            return
        reading = NodeText(table, kinds[0])
        node = reading.node()
        for key, found, expected in reading.problems:
            self._note(name, key, found, expected)
        if node is not None:
            self._nodes[name] = node

    def _name_of_node(self, key: str) -> str:
        value = self._table.get(key, "")
        if isinstance(value, str):
            return value
        self._note("", key, shown(value), "the name of a node")
        return ""

    def _about(self) -> str:
        value = self._table.get("about", "")
        if isinstance(value, str) and len(value) <= ABOUT_CHARS_MAX and value.isprintable():
            return value
        self._note("", "about", shown(value), f"a text of at most {ABOUT_CHARS_MAX} printable characters")
        return ""

    def _check_name(self, node: str, key: str, name: str, tables: dict[str, Any]) -> None:
        """A name of a node that has problems of its own is no second problem."""
        if name in tables:
            return
        close = get_close_matches(name[:SHOWN_CHARS_MAX], list(tables), n=1, cutoff=0.6)
        self._note(
            node, key, shown(name), f"perhaps {close[0]}" if close else "the name of a node of this plan"
        )

    def _check_decisions(self) -> None:
        """Decisions in a circle would never come to anything."""
        told: set[str] = set()
        for name in self._nodes:
            way = self._circle(name)
            if way and told.isdisjoint(way):
                told.update(way)
                found = "a way back to itself by decisions alone: " + " to ".join((*way, name))
                self._note(name, "", found, "a way that comes to somebody or something")

    def _circle(self, name: str) -> tuple[str, ...]:
        seen: set[str] = set()
        ways: list[tuple[str, ...]] = [(name,)]
        while ways:
            way = ways.pop()
            node = self._nodes.get(way[-1])
            for _, following in nexts(node) if isinstance(node, (Hours, Callers, Split)) else ():
                if following == name:
                    return way
                if following not in seen:
                    seen.add(following)
                    ways.append((*way, following))
        return ()

    def _note(self, node: str, key: str, found: str, expected: str) -> None:
        self.problems.append(PlanProblem(shown_text(node)[1:-1] if node else "", key, found, expected))


def unused_nodes(plan: Plan) -> list[str]:
    """Nodes that no call can come to."""
    reached: set[str] = set()
    ahead = [name for name in (plan.start, plan.fallback) if name]
    while ahead:
        name = ahead.pop()
        if name not in reached and name in plan.nodes:
            reached.add(name)
            ahead += [following for _, following in nexts(plan.nodes[name])]
    return [name for name in plan.nodes if name not in reached]
