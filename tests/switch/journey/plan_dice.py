"""Random plans as TOML, as wild as a customer could write them, and random facts: for properties of walks."""

from collections.abc import Mapping
from random import Random

from switch.journey.moves import Came, Pressed, Result
from switch.journey.time_sets import Period, TimeSet, TimeSets

USERS = [f"100{n}" for n in range(6)]
NUMBERS = ["01632 960001", "07700 900123", "+441632960002"]
SETS = ["office", "holidays", "unknown"]
PROMPTS = ["welcome", "closed", "own.greeting"]


KINDS = 12  # of nodes that are thrown, as `_node` counts them
MENU = 8
VOICES = {7, MENU}  # queues and menus: what comes of them is up to people


class Dice:
    """One seed, one plan. `kinds` are the nodes that it is made of, `goes_on` is how likely a node has an `else`."""

    def __init__(self, random: Random, *, kinds: "list[int] | None" = None, goes_on: float = 0.6) -> None:
        self.random = random
        self._goes_on = goes_on
        self._kinds = list(range(KINDS)) if kinds is None else kinds

    def account_plans(self) -> dict[str, str]:
        """TOML texts by name; every plan that is named exists."""
        names = [f"p{n}" for n in range(self.random.randint(1, 4))]
        return {name: self.plan(names) for name in names}

    def plan(self, plans: list[str]) -> str:
        nodes = [f"n{n}" for n in range(self.random.randint(1, 12))]
        pick = self.random.choice
        lines = [f'start = "{pick(nodes)}"']
        if self.random.random() < 0.6:
            lines.append(f'fallback = "{pick(nodes)}"')
        for node in nodes:
            lines += ["", f"[{node}]", *self._node(nodes, plans)]
        return "\n".join(lines) + "\n"

    def _node(self, nodes: list[str], plans: list[str]) -> list[str]:
        pick, chance = self.random.choice, self.random.random
        otherwise = [f'else = "{pick(nodes)}"'] if chance() < self._goes_on else []
        busy = [f'busy = "{pick(nodes)}"'] if chance() < 0.3 else []
        then = f'then = "{pick(nodes)}"'
        match pick(self._kinds):
            case 0:
                return [f'hours = "{pick(SETS)}"', then, *otherwise]
            case 1:
                wanted = pick(['"withheld"', '"01632*"', '"07700 900123", "withheld"'])
                return [f"callers = [{wanted}]", then, *otherwise]
            case 2:
                first, second = pick(nodes), pick(nodes)
                if first == second:
                    return [f"split = {{ {first} = 100 }}"]
                percent = self.random.randint(1, 99)
                return [f"split = {{ {first} = {percent}, {second} = {100 - percent} }}"]
            case 3:
                follows = [f"diverts = {pick(['true', 'false'])}"] if chance() < 0.5 else []
                ring = [f"ring = {self.random.randint(5, 30)}"] if chance() < 0.3 else []
                return [f'line = "{pick(USERS)}"', *follows, *ring, *otherwise, *busy]
            case 4:
                return [f'number = "{pick(NUMBERS)}"', "ring = 30", *otherwise, *busy]
            case 5 | 6:
                strategy = pick(["together", "in_order", "round_robin", "longest_idle"])
                members = self._members(has_times=strategy != "together")
                skips = pick(["true", "false"])
                return [
                    f"group = {members}",
                    f'strategy = "{strategy}"',
                    f"skip_busy = {skips}",
                    *otherwise,
                    *busy,
                ]
            case 7:
                full = [f'full = "{pick(nodes)}"'] if chance() < 0.4 else []
                return [f"queue = {self._members(has_times=False)}", *full, *otherwise]
            case 8:
                keys = self.random.sample("0123456789*#", self.random.randint(1, 4))
                press = ", ".join(f'"{key}" = "{pick(nodes)}"' for key in keys)
                extensions = ["extensions = 4"] if chance() < 0.5 else []
                wrong = [f'wrong = "{pick(nodes)}"'] if chance() < 0.3 else []
                return [
                    f'menu = "{pick(PROMPTS)}"',
                    f"press = {{ {press} }}",
                    *extensions,
                    *wrong,
                    *otherwise,
                ]
            case 9:
                goes_on = MENU in self._kinds and chance() < 0.5
                return [f'announce = "{pick(PROMPTS)}"', *([then] if goes_on else []), *otherwise]
            case 10:
                return [f'voicemail = "{pick(USERS)}"', *otherwise]
            case _:
                return [f'plan = "{pick(plans)}"', *otherwise]

    def _members(self, *, has_times: bool) -> list[str]:
        everybody = [*(f"line {user}" for user in USERS), *(f"number {number}" for number in NUMBERS[:2])]
        chosen = self.random.sample(everybody, self.random.randint(1, 5))
        return [f"{name} for 10 s" if has_times and self.random.random() < 0.3 else name for name in chosen]

    def result(self) -> Result:
        """Anything that may come of a move, also of another one than was made."""
        if self.random.random() < 0.3:
            return Pressed(self.random.choice(["1", "2", "*", "1001", "9999", "", "\x1b[2J", "\u0661"]))
        return self.random.choice(list(Came))


class DiceFacts:
    """Facts of one call, all by chance but for the same seed the same."""

    account_id = 7
    called = "+441632960000"

    def __init__(self, random: Random, /, **known: object) -> None:
        self._random = random
        self.caller = random.choice(["", "+441632960555", "+447700900123"])
        self.utc_ms = 1_790_000_000_000 + random.randrange(400 * 86_400_000)
        self.time_sets = TimeSets(
            {
                "office": TimeSet(hours=((Period(540, 1050),),) * 5 + ((), ())),
                "holidays": TimeSet(excluded=("office",)),
            }
        )
        self.turns: dict[str, int] = {}
        self.busy: set[str] = {user for user in USERS if random.random() < 0.3}
        self.registered: set[str] = {user for user in USERS if random.random() < 0.8}
        self.rested: Mapping[str, int] = {user: random.randrange(1000) for user in USERS}
        for name, value in known.items():
            setattr(self, name, value)
        self.is_withheld = known.get("is_withheld", not self.caller)

    def random(self) -> float:
        return self._random.random()

    def has_line(self, user: str) -> bool:
        return user in USERS

    def is_busy(self, user: str) -> bool:
        return user in self.busy

    def is_registered(self, user: str) -> bool:
        return user in self.registered

    def rested_since(self, user: str) -> int:
        return self.rested[user]

    def next_turn(self, name: str) -> int:
        turn = self.turns.get(name, 0)
        self.turns[name] = turn + 1
        return turn
