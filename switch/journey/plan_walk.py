"""Walks a customer's plan for one call: yields moves, takes what came of each, ends by itself. Pure.

The plan decides (hours, callers, split) until there is something to do; what that comes to decides what is next. A node
that comes to nothing leads to its `else`, without one to the plan's fallback (once), and then back to the plan that led
here. When nothing is left, or after MOVES_MAX moves or STEPS_MAX nodes, the caller is refused. `notes` tell every
decision in plain English, for `offhook route explain`.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from provisioning.plans.plan import (
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
    Plan,
    Queue,
    Split,
    Strategy,
    Voicemail,
    filed_prompt,
)
from switch.journey import moves
from switch.journey.moves import (
    MOVES_MAX,
    Came,
    Deposit,
    Move,
    Place,
    PlaceKind,
    Pressed,
    Refuse,
    Result,
    Ring,
)
from switch.journey.time_sets import TimeSets

# Nodes that one call may come to. Decisions in a circle are refused when a plan is read, but several plans could still
# lead round one another; a sensible call comes to ten.
STEPS_MAX: Final = 300
# Plans within plans, for the same reason: a company, its sites, their departments.
PLANS_DEEP_MAX: Final = 5
ANNOUNCED_STATUS: Final = 480
ANNOUNCED_CAUSE: Final = 31
PLACES: Final = {MemberKind.LINE: PlaceKind.LINE, MemberKind.NUMBER: PlaceKind.NUMBER}
# What the caller is told when nothing is left, by what came of the last move.
ENDINGS: Final = {
    Came.BUSY: (486, 17),
    Came.NO_ANSWER: (480, 19),
    Came.DECLINED: (603, 21),
    Came.QUEUE_FULL: (486, 17),
    Came.WAITED_TOO_LONG: (480, 19),
    Came.UNREACHABLE: (480, 20),
}
ENDING: Final = (480, 31)
RAN_OUT: Final = "the plan has nowhere left to go"
TOO_LONG: Final = "the plan leads on and on"


class Facts(Protocol):
    """What a walk may ask about the call and the exchange. Numbers are E.164; `caller` is "" where it is withheld, and
    where there is none."""

    account_id: int
    caller: str
    is_withheld: bool
    called: str
    utc_ms: int
    time_sets: TimeSets

    def random(self) -> float:
        """From 0 to just below 1."""

    def has_line(self, user: str) -> bool:
        """Whether it is a line of the plan's account."""

    def is_busy(self, user: str) -> bool: ...

    def is_registered(self, user: str) -> bool:
        """Whether there is anything to ring."""

    def rested_since(self, user: str) -> int:
        """UTC milliseconds of the end of its last call; 0 for one that has had none."""

    def next_turn(self, name: str) -> int:
        """How many calls have come to this group before; this one is counted."""


class _Frame:
    """A plan that the call is in, and what is next in the plan that led here when this one has nowhere left."""

    __slots__ = ("has_fallen_back", "name", "otherwise", "plan")

    def __init__(self, name: str, plan: Plan, otherwise: str) -> None:
        self.name = name
        self.plan = plan
        self.otherwise = otherwise
        self.has_fallen_back = False


class PlanWalk:
    """One call's way through the plans of an account, by name."""

    __slots__ = (
        "_ended",
        "_facts",
        "_frames",
        "_last",
        "_moves",
        "_node",
        "_plans",
        "_steps",
        "_waiting",
        "_wrong",
        "notes",
    )

    def __init__(
        self, plans: Mapping[str, Plan], start: str, facts: Facts, notes: list[str] | None = None
    ) -> None:
        self.notes: list[str] = [] if notes is None else notes  # where the notes go, as they come
        self._plans = plans
        self._facts = facts
        self._frames: list[_Frame] = []
        self._node: tuple[str, Node] | None = None
        self._waiting: list[Member] = []  # members of a group that have not been rung
        self._wrong: dict[str, int] = {}
        self._last: Came | None = None
        self._moves = 0
        self._steps = 0
        self._ended: Refuse | None = None
        self._push(start, "")

    def first(self) -> Move:
        """What is done first."""
        return self._move(self._frames[-1].plan.start if self._frames else "")

    def next(self, result: Result) -> Move:
        """What is done after the last move came to this. After a Refuse there is nothing but it."""
        if self._ended is not None:
            return self._ended
        self._last = result if isinstance(result, Came) else None
        name, node = self._node if self._node is not None else ("", None)
        match node:
            case Group() if self._waiting:
                return self._count(self._ring_next(name, node))
            case Menu():
                return self._after_menu(name, node, result)
            case Announce() if node.then:
                # Words that could not be said are no reason not to go on, unless the plan says so.
                has_gone_on = result is Came.NOTHING_PRESSED or not node.otherwise
                return self._move(node.then if has_gone_on else node.otherwise)
            case Queue() if result is Came.QUEUE_FULL:
                return self._move(self._after(node.full or node.otherwise))
            case Line() | ExternalNumber() | Group() if result is Came.BUSY and node.busy:
                return self._move(node.busy)
            case Split() | Hours() | Callers() | None:  # decisions have no result
                return self._move(self._after(""))
            case _:
                return self._move(self._after(node.otherwise))

    # From node to node

    def _move(self, name: str) -> Move:
        """The next thing to do, from the node of that name on."""
        while name:
            self._steps += 1
            if self._steps > STEPS_MAX:
                return self._refuse(TOO_LONG)
            node = self._frames[-1].plan.nodes.get(name)
            if node is None:
                self._note(name, "there is no such node")
                name = self._after("")
                continue
            self._node = name, node
            done = self._visit(name, node)
            if not isinstance(done, str):
                return self._count(done)
            name = done
        return self._refuse(RAN_OUT)

    def _count(self, move: Move) -> Move:
        self._moves += 1
        return move if self._moves < MOVES_MAX else self._refuse(TOO_LONG)

    def _visit(self, name: str, node: Node) -> Move | str:
        """A move, or the name of the next node ("": nothing is left)."""
        match node:
            case Hours():
                return self._hours(name, node)
            case Callers():
                return self._callers(name, node)
            case Split():
                return self._split(name, node)
            case OtherPlan():
                return self._other_plan(name, node)
            case Line(user=user, ring_s=ring_s):
                self._note(name, f"line {user} for {ring_s} s")
                return Ring((Place(PlaceKind.LINE, user),), ring_s, follows_diverts=node.follows_diverts)
            case ExternalNumber(e164=e164, ring_s=ring_s):
                self._note(name, f"number {e164} for {ring_s} s")
                return Ring((Place(PlaceKind.NUMBER, e164),), ring_s)
            case Group():
                return self._group(name, node)
            case Queue():
                return self._queue(name, node)
            case Menu():
                self._note(name, f"menu: '{node.prompt}'")
                return self._menu(node)
            case Announce(prompt=prompt, then=then):
                self._note(name, f"announce: '{prompt}'")
                words = self._prompt(prompt)
                return (
                    moves.Menu(words, (), 0, 0, 1)
                    if then
                    else moves.Announce(words, ANNOUNCED_STATUS, ANNOUNCED_CAUSE)
                )
            case Voicemail(user=user):
                self._note(name, f"voicemail of line {user}")
                return Deposit(user)

    def _after(self, otherwise: str) -> str:
        """Where a call goes on that has come to nothing; "" is nowhere."""
        if otherwise:
            return otherwise
        while self._frames:
            frame = self._frames[-1]
            if frame.plan.fallback and not frame.has_fallen_back:
                frame.has_fallen_back = True
                self.notes.append(f"plan '{frame.name}': the fallback, '{frame.plan.fallback}'")
                return frame.plan.fallback
            if len(self._frames) == 1:
                return ""
            self._frames.pop()
            self.notes.append(f"plan '{frame.name}': nothing is left, back to plan '{self._frames[-1].name}'")
            if frame.otherwise:
                return frame.otherwise
        return ""

    def _push(self, name: str, otherwise: str) -> bool:
        plan = self._plans.get(name)
        if plan is None:
            self.notes.append(f"plan '{name}': there is none of that name")
            return False
        self.notes.append(f"plan '{name}' begins at '{plan.start}'")
        self._frames.append(_Frame(name, plan, otherwise))
        return True

    def _refuse(self, words: str) -> Refuse:
        status, cause = ENDING if self._last is None else ENDINGS.get(self._last, ENDING)
        self.notes.append(words)
        self._ended = Refuse(status, cause, words)
        return self._ended

    # Decisions

    def _hours(self, name: str, node: Hours) -> str:
        facts = self._facts
        is_in = facts.time_sets.is_in(node.time_set, facts.utc_ms)
        clock = f"{facts.time_sets.wall_clock(facts.utc_ms):%a %d %b %Y %H:%M}"
        if node.time_set not in facts.time_sets:
            said = f"there is no time set '{node.time_set}'"
        else:
            said = f"'{node.time_set}' says {'yes' if is_in else 'no'} at {clock}"
        return self._decided(name, f"hours: {said}", node.then if is_in else self._after(node.otherwise))

    def _callers(self, name: str, node: Callers) -> str:
        caller, is_withheld = self._facts.caller, self._facts.is_withheld
        found = next((pattern for pattern in node.patterns if _matches(pattern, caller, is_withheld=is_withheld)), "")
        nobody = "a caller who withholds the number" if is_withheld else "a caller without a number"
        who = f"caller {caller}" if caller else nobody
        said = f"{who} is in the list as {found}" if found else f"{who} is not in the list"
        return self._decided(name, f"callers: {said}", node.then if found else self._after(node.otherwise))

    def _split(self, name: str, node: Split) -> str:
        drawn = min(max(int(self._facts.random() * 100), 0), 99)
        upto = 0
        for share in node.shares:
            upto += share.percent
            if drawn < upto:
                return self._decided(name, f"split: {drawn} of 100", share.then)
        return self._after("")

    def _other_plan(self, name: str, node: OtherPlan) -> str:
        if len(self._frames) >= PLANS_DEEP_MAX:
            return self._decided(name, "plan: too many plans within each other", self._after(node.otherwise))
        if not self._push(node.name, node.otherwise):
            return self._after(node.otherwise)
        return self._frames[-1].plan.start

    def _decided(self, name: str, said: str, following: str) -> str:
        self._note(name, f"{said} -> {following or 'nowhere'}")
        return following

    # Groups and queues

    def _group(self, name: str, node: Group) -> Move | str:
        members = self._in_turn(name, node.members, node.strategy)
        fit, is_anybody_busy = self._fit(name, members, skips_busy=node.skips_busy)
        if not fit:
            self._last = Came.BUSY if is_anybody_busy else Came.UNREACHABLE
            self._note(name, "group: nobody is there who could be rung")
            return node.busy if node.busy and is_anybody_busy else self._after(node.otherwise)
        if node.strategy is Strategy.TOGETHER:
            self._note(name, f"group: {', '.join(map(str, fit))} together for {node.ring_s} s")
            return Ring(_places(fit), node.ring_s, skips_busy=node.skips_busy)
        self._waiting = fit
        return self._ring_next(name, node)

    def _ring_next(self, name: str, node: Group) -> Ring:
        member = self._waiting.pop(0)
        ring_s = member.ring_s or node.ring_s
        self._note(name, f"group: {member} for {ring_s} s")
        return Ring(_places([member]), ring_s, skips_busy=node.skips_busy)

    def _queue(self, name: str, node: Queue) -> Move:
        row = f"{self._frames[-1].name}/{name}"
        self._note(name, f"queue: {', '.join(map(str, node.members))}")
        return moves.Queue(
            name=row,
            places=_places(node.members),
            strategy=moves.Strategy(node.strategy.value),
            ring_s=node.ring_s,
            waiting_max=node.waiting_max,
            wait_s_max=node.wait_s_max,
            music=self._prompt(node.music),
            says_position=node.says_position,
        )

    def _in_turn(self, name: str, members: tuple[Member, ...], strategy: Strategy) -> list[Member]:
        if strategy is Strategy.ROUND_ROBIN:
            begin = self._facts.next_turn(f"{self._frames[-1].name}/{name}") % len(members)
            self._note(name, f"group: it is the turn of {members[begin]}")
            return [*members[begin:], *members[:begin]]
        if strategy is Strategy.LONGEST_IDLE:
            # Whether a number rests nobody here knows: those come last, in their order.
            return sorted(members, key=self._rest)
        return list(members)

    def _rest(self, member: Member) -> tuple[bool, int]:
        is_number = member.kind is MemberKind.NUMBER
        return is_number, 0 if is_number else self._facts.rested_since(member.value)

    def _fit(self, name: str, members: list[Member], *, skips_busy: bool) -> tuple[list[Member], bool]:
        """Those who can be rung, and whether anybody is left out for being busy."""
        fit: list[Member] = []
        is_anybody_busy = False
        for member in members:
            if member.kind is MemberKind.NUMBER:
                fit.append(member)
            elif not self._facts.is_registered(member.value):
                self._note(name, f"group: {member} is not registered")
            elif skips_busy and self._facts.is_busy(member.value):
                is_anybody_busy = True
                self._note(name, f"group: {member} is busy")
            else:
                fit.append(member)
        return fit, is_anybody_busy

    # Menus

    def _menu(self, node: Menu) -> moves.Menu:
        return moves.Menu(
            self._prompt(node.prompt), tuple(node.press), node.extension_digits, node.timeout_s, node.tries
        )

    def _after_menu(self, name: str, node: Menu, result: Result) -> Move:
        if not isinstance(result, Pressed):
            self._note(
                name, "menu: nothing was pressed" if result is Came.NOTHING_PRESSED else "menu: it failed"
            )
            return self._move(self._after(node.otherwise))
        digits = result.digits
        if digits in node.press:
            return self._move(self._decided(name, f"menu: {digits} was pressed", node.press[digits]))
        user = node.extension_prefix + digits
        if len(digits) == node.extension_digits and self._facts.has_line(user):
            self._note(name, f"menu: the extension {digits} is line {user}, for {node.ring_s} s")
            # What comes of it leads to the menu's `else`.
            self._node = name, Line(user, node.ring_s, otherwise=node.otherwise)
            return self._count(Ring((Place(PlaceKind.LINE, user),), node.ring_s, follows_diverts=True))
        self._note(name, f"menu: {_printable(digits)} leads nowhere")
        if node.wrong:
            return self._move(node.wrong)
        place = f"{self._frames[-1].name}/{name}"
        self._wrong[place] = self._wrong.get(place, 0) + 1
        return self._move(name if self._wrong[place] < node.tries else self._after(node.otherwise))

    def _prompt(self, name: str) -> str:
        return filed_prompt(name, self._facts.account_id)

    def _note(self, node: str, said: str) -> None:
        self.notes.append(f"[{node}] {said}")


def _matches(pattern: str, caller: str, *, is_withheld: bool) -> bool:
    """Who has no number to show (a line without one, calls from abroad) withholds none, as for diverts."""
    if pattern == WITHHELD:
        return is_withheld
    if pattern.endswith("*"):
        return bool(caller) and caller.startswith(pattern[:-1])
    return caller == pattern


def _places(members: "list[Member] | tuple[Member, ...]") -> tuple[Place, ...]:
    return tuple(Place(PLACES[member.kind], member.value) for member in members)


def _printable(digits: str) -> str:
    """Digits come from the wire."""
    return digits[:20] if digits.isascii() and digits.isprintable() else "a key that is none"
