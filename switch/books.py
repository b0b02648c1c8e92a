"""The books in memory: accounts, lines and numbers, read whole at start and then changed entity by entity.

PostgreSQL owns these rows; this is the copy that the call path reads. Balances are not here: the rating engine owns
them while the switch runs.
"""

from collections import Counter
from typing import TypeVar, assert_never

import msgspec

from provisioning.model import (
    Account,
    AccountChanged,
    BundleChanged,
    Change,
    Credited,
    DigestPolicy,
    Line,
    LineAddress,
    LineChanged,
    LineRemoved,
    Number,
    NumberChanged,
    NumberRemoved,
    PlanChanged,
    PlanRemoved,
    Snapshot,
)
from provisioning.plans.plan import Plan
from provisioning.settings import PLAIN_ACCOUNT, PLAIN_LINE
from switch.calls.pickup_groups import PickupGroups
from switch.sip.flow import UDP, Flow

Entity = TypeVar("Entity", Account, Line)


class Books:
    """Look-ups for one call: line by user or address, account by id, line by number, numbers by line.

    `digest_policies` counts the lines of each policy in use. `plans` are those of each account that has any, by name.
    """

    __slots__ = (
        "_line_at",
        "accounts",
        "change_seq",
        "digest_policies",
        "lines",
        "numbers",
        "numbers_of_line",
        "pickup_groups",
        "plans",
    )

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.lines: dict[str, Line] = {}
        self.numbers: dict[str, Number] = {}
        self.numbers_of_line: dict[str, tuple[str, ...]] = {}
        self.digest_policies: Counter[DigestPolicy] = Counter()
        self.plans: dict[int, dict[str, Plan]] = {}
        self.change_seq = 0
        self.pickup_groups = PickupGroups()
        # By transport, host and port; over a connection, which may come from any port, that is 0.
        self._line_at: dict[tuple[str, str, int], Line] = {}

    def load(self, snapshot: Snapshot) -> None:
        """Replace everything by a snapshot."""
        self.accounts = {account.id: _with_plain_settings(account) for account in snapshot.accounts}
        self.lines = {line.user: _with_plain_settings(line) for line in snapshot.lines}
        self.digest_policies = Counter(line.digest for line in self.lines.values())
        self.numbers = {number.e164: number for number in snapshot.numbers}
        # Lists first: a trunk has thousands, and a tuple made longer by one is made anew.
        of_line: dict[str, list[str]] = {}
        for number in snapshot.numbers:
            of_line.setdefault(number.line, []).append(number.e164)
        self.numbers_of_line = {user: tuple(numbers) for user, numbers in of_line.items()}
        self.pickup_groups.load(self.lines.values())
        self._line_at = {_place(address): line for line in self.lines.values() for address in line.addresses}
        self.plans = {}
        for plan in snapshot.plans:
            self.plans.setdefault(plan.account_id, {})[plan.name] = plan.plan
        self.change_seq = snapshot.change_seq

    def apply(self, change: Change) -> None:
        """Take over one change. Credits and bundles are the rating engine's business and change nothing here."""
        match change:
            case AccountChanged(account=account):
                self.accounts[account.id] = _with_plain_settings(account)
            case LineChanged(line=line):
                self._forget_line(line.user)
                line = _with_plain_settings(line)
                self.lines[line.user] = line
                self.digest_policies[line.digest] += 1
                self.pickup_groups.add(line)
                for address in line.addresses:
                    self._line_at[_place(address)] = line
            case LineRemoved(user=user):
                self._forget_line(user)
            case NumberChanged(number=number):
                self._unassign(number.e164)
                self._assign(number)
            case NumberRemoved(e164=e164):
                self._unassign(e164)
            case PlanChanged(plan=plan):
                self.plans.setdefault(plan.account_id, {})[plan.name] = plan.plan
            case PlanRemoved(account_id=account_id, name=name):
                self._forget_plan(account_id, name)
            case Credited() | BundleChanged():
                pass
            case _:
                assert_never(change)

    def account_of(self, line: Line) -> Account | None:
        return self.accounts.get(line.account_id)

    def network_number_of(self, line: Line) -> str:
        """The number that the network vouches for: the line's CLI, else the first number assigned to it, else ""."""
        if line.cli:
            return line.cli
        numbers = self.numbers_of_line.get(line.user)
        return numbers[0] if numbers else ""

    def may_present(self, line: Line, e164: str) -> bool:
        """Whether the line owns the number it wants to show (Ofcom GC C6: a CLI must be the caller's own)."""
        number = self.numbers.get(e164)
        return e164 == line.cli or (number is not None and number.line == line.user)

    def line_at(self, flow: Flow) -> Line | None:
        """The trunk that sends from here and needs no password for it; None for everybody else."""
        if not self._line_at:
            return None
        port = flow.remote_port if flow.transport == UDP else 0
        return self._line_at.get((flow.transport, flow.remote_host, port))

    def lines_with_addresses(self) -> list[Line]:
        return list({line.user: line for line in self._line_at.values()}.values())

    def _forget_line(self, user: str) -> None:
        line = self.lines.pop(user, None)
        if line is None:
            return
        self.digest_policies[line.digest] -= 1
        if not self.digest_policies[line.digest]:
            del self.digest_policies[line.digest]
        self.pickup_groups.remove(line)
        for address in line.addresses:
            place = _place(address)
            owner = self._line_at.get(place)
            # Changes of one moment come in any order: the next owner's may have come before.
            if owner is not None and owner.user == user:
                del self._line_at[place]

    def _forget_plan(self, account_id: int, name: str) -> None:
        plans = self.plans.get(account_id, {})
        plans.pop(name, None)
        if not plans:
            self.plans.pop(account_id, None)

    def _assign(self, number: Number) -> None:
        self.numbers[number.e164] = number
        have = self.numbers_of_line.get(number.line, ())
        self.numbers_of_line[number.line] = (*have, number.e164)

    def _unassign(self, e164: str) -> None:
        number = self.numbers.pop(e164, None)
        if number is None:
            return
        have = self.numbers_of_line[number.line]
        if len(have) == 1:
            del self.numbers_of_line[number.line]
            return
        place = have.index(e164)
        self.numbers_of_line[number.line] = have[:place] + have[place + 1 :]


def _with_plain_settings(entity: Entity) -> Entity:
    """Most have set nothing. They share the one object that the call path recognises without looking inside."""
    for plain in (PLAIN_LINE, PLAIN_ACCOUNT):
        if entity.settings is not plain and entity.settings == plain:
            return msgspec.structs.replace(entity, settings=plain)
    return entity


def _place(address: LineAddress) -> tuple[str, str, int]:
    return address.transport.upper(), address.host, address.port if address.is_datagram else 0
