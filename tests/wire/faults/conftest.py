"""One exchange for all faults, and another for all good calls."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipp_scenarios.sipp import sipp_program
from tests.wire.faults.callers import ACCOUNTS, LINES
from tests.wire.faults.desk import Desk


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.path.is_relative_to(Path(__file__).parent):
            continue
        item.add_marker(pytest.mark.wire)
        if importlib.util.find_spec("pjsua2") is None:
            item.add_marker(pytest.mark.skip(reason="pjsua2 is not installed (pip install pjsua2-python)"))
        if sipp_program() is None:
            item.add_marker(pytest.mark.skip(reason="sipp is not installed (Debian package sip-tester)"))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(tmp_path_factory.mktemp("desk"), ACCOUNTS, LINES)
    try:
        desk.start()
        desk.populate()
        with desk.carriers():
            yield desk
    finally:
        desk.stop()
