"""An exchange, and people with phones whose voices are told apart by their tones."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.phone import Phone, PhoneCall
from demo.phone_messages import CallArrived
from tests.wire.phones.conftest import carrier, phone, registered, running_town, started, town
from tests.wire.phones.heard import hears

__all__ = ["carrier", "people", "phone", "registered", "running_town", "started", "town"]

VOICES = {"alice": 700, "bob": 1100, "carol": 440}
NUMBERS = {"alice": "01632960001", "bob": "01632960002", "carol": "01632960003", "dave": "01632960004"}

People = Callable[[str], "Person"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.path.is_relative_to(Path(__file__).parent):
            continue
        item.add_marker(pytest.mark.wire)
        if importlib.util.find_spec("pjsua2") is None:
            item.add_marker(pytest.mark.skip(reason="pjsua2 is not installed (pip install pjsua2-python)"))


class Person:
    """Somebody with a phone, a voice of their own and a recording of what they hear."""

    def __init__(self, user: str, phone: Phone, ear: Path) -> None:
        self.user = user
        self.phone = phone
        self.number = NUMBERS[user]
        self.ear = ear

    def hears(self, other: "Person | int") -> None:
        """Another person, or a tone of so many Hz, for the last second."""
        hears(self.ear, VOICES[other.user] if isinstance(other, Person) else other)

    def rings(self, *, after: int, timeout_s: float = 10.0) -> PhoneCall:
        return self.phone.expect_call(after=after, timeout_s=timeout_s)

    def has_not_rung(self, *, after: int) -> bool:
        return not self.phone.events_of(CallArrived, after=after)


@pytest.fixture
def people(registered: Callable[..., Phone], tmp_path: Path) -> People:
    """`people("alice")`: her phone, registered."""

    def arrive(user: str) -> Person:
        ear = tmp_path / f"{user}.wav"
        return Person(user, registered(user, tone_hz=VOICES.get(user, 440), recording=str(ear)), ear)

    return arrive
