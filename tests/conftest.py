"""How tests run beside each other, where pytest-xdist is there: `pytest -n 4 --dist loadscope -m "not alone"`.

A module's tests stay together, for they share its exchange; and so do modules that share one of their package's, which
takes half a minute to show that nothing is left in it.
"""

from typing import Any, Final

import pytest

# Packages whose modules share an exchange, and in how many groups: one exchange each.
GROUPS: Final = {"tests/wire/phones": 3, "tests/wire/services": 1, "tests/wire/browser": 1}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - not everybody has it

    class Groups(LoadScopeScheduling):  # type: ignore[misc]
        # Not by its marks of groups: version 3.8 writes them where pytest 9.2 no longer looks for them.
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid.partition("::")[0])

    return Groups(config, log)


def group_of(module: str) -> str:
    """The module itself, or one of its package's groups: always the same one."""
    package, _, name = module.rpartition("/")
    groups = GROUPS.get(package)
    return module if groups is None else f"{package} {sum(name.encode()) % groups}"
