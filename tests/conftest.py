"""How tests run beside each other, where pytest-xdist is there: `pytest -n 4 --dist loadgroup -m "not alone"`.

A module's tests stay together, for they share its exchange; and so do modules that share one of their package's, which
takes half a minute to show that nothing is left in it.
"""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# Packages whose modules share an exchange, and in how many groups: one exchange each.
GROUPS = {TESTS / "wire/phones": 3, TESTS / "wire/services": 1, TESTS / "wire/browser": 1}


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    folder = item.path.parent
    shares = {"running_town", "web_town"} & set(getattr(item, "fixturenames", ()))
    if folder not in GROUPS or not shares:
        return str(item.path.relative_to(TESTS))
    return f"{folder.name} {sum(item.path.name.encode()) % GROUPS[folder]}"
