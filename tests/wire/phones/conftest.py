"""One exchange for all phone tests but those that break it; phones that end with their test; a look for leftovers."""

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.phone import Phone
from demo.phone_messages import PhoneSettings
from tests.wire.phones.town import Town

PhoneStarter = Callable[[PhoneSettings], Phone]
CarrierStarter = Callable[[str], Phone]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Phones that are not installed cannot be asked."""
    for item in items:
        if not item.path.is_relative_to(Path(__file__).parent):
            continue
        item.add_marker(pytest.mark.wire)
        if importlib.util.find_spec("pjsua2") is None:
            item.add_marker(pytest.mark.skip(reason="pjsua2 is not installed (pip install pjsua2-python)"))
        if item.path.name == "test_baresip.py" and shutil.which("baresip") is None:
            item.add_marker(pytest.mark.skip(reason="baresip is not installed (Debian package baresip-core)"))
        if item.path.name == "test_linphone.py" and shutil.which("linphone-daemon") is None:
            item.add_marker(pytest.mark.skip(reason="linphone is not installed (Debian package linphone-cli)"))


@pytest.fixture(scope="package")
def running_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Started once; at the end everything must be back where it was before the first phone."""
    town = Town(tmp_path_factory.mktemp("town"))
    try:
        town.start()
        town.populate()
        before = town.settled_resources()
        yield town
        town.check_nothing_left(before)
    finally:
        town.stop()


@pytest.fixture
def town(running_town: Town) -> Iterator[Town]:
    """The exchange, without a call before and after the test."""
    running_town.check_calls_over()
    yield running_town
    running_town.check_calls_over()


@pytest.fixture
def started() -> Iterator[list[Phone]]:
    """Phones to be ended after the test, whatever happens in it."""
    phones: list[Phone] = []
    yield phones
    for phone in phones:
        phone.stop()


@pytest.fixture
def phone(started: list[Phone]) -> PhoneStarter:
    """Starts a phone that does nothing yet."""

    def start(settings: PhoneSettings) -> Phone:
        started.append(Phone.start(settings))
        return started[-1]

    return start


@pytest.fixture
def registered(town: Town, phone: PhoneStarter) -> Callable[..., Phone]:
    """Starts a phone of a line and registers it: `registered("alice", transport=Transport.TCP)`."""

    def start(user: str, **settings: object) -> Phone:
        phone_started = phone(town.settings(user, **settings))  # type: ignore[arg-type]
        phone_started.register()
        return phone_started

    return start


@pytest.fixture
def carrier(town: Town, started: list[Phone]) -> CarrierStarter:
    """Starts one of the carriers of trunks.toml."""

    def start(name: str = "carrier_a") -> Phone:
        started.append(town.start_carrier(name))
        return started[-1]

    return start
