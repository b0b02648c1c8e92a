"""What `offhook check` finds in the plans of the books: time sets that conf/time-sets.toml no longer has."""

from collections.abc import Collection

import msgspec

from provisioning.plans.plan import time_sets_of
from provisioning.views import PlanView


class UnknownTimeSet(msgspec.Struct, frozen=True):
    """A node of a plan asks for a time set that is none: it is never that time."""

    account: str
    plan: str
    node: str
    time_set: str

    def __str__(self) -> str:
        return f"plan {self.plan} of {self.account}: [{self.node}] time set {self.time_set} is not in time-sets.toml"


def unknown_time_sets(plans: Collection[PlanView], known: Collection[str]) -> list[UnknownTimeSet]:
    return [
        UnknownTimeSet(view.account, view.name, node, name)
        for view in plans
        for name, node in time_sets_of(view.plan).items()
        if name not in known
    ]
