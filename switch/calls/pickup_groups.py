"""Which lines of an account pick each other's calls up: those whose settings name the same group.

Kept beside the books, so that a pick-up looks at the few lines of a group and not at all of them.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provisioning.model import Line


class PickupGroups:
    """Lines by account and group. One without a group is in none."""

    __slots__ = ("_users",)

    def __init__(self) -> None:
        self._users: dict[tuple[int, str], dict[str, None]] = {}

    def load(self, lines: "Iterable[Line]") -> None:
        self._users = {}
        for line in lines:
            self.add(line)

    def add(self, line: "Line") -> None:
        group = line.settings.pickup_group
        if group:
            self._users.setdefault((line.account_id, group), {})[line.user] = None

    def remove(self, line: "Line") -> None:
        key = (line.account_id, line.settings.pickup_group)
        users = self._users.get(key)
        if users is not None:
            users.pop(line.user, None)
            if not users:
                del self._users[key]

    def of(self, line: "Line") -> list[str]:
        """The users of this line's group, its own among them."""
        return list(self._users.get((line.account_id, line.settings.pickup_group), ()))
