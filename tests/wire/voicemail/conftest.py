"""A voicemail process for each test that asks for one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.free_ports import free_port
from tests.wire.voicemail.server import VoicemailServer


@pytest.fixture
def make_voicemail(tmp_path: Path) -> Iterator[Callable[..., VoicemailServer]]:
    made: list[VoicemailServer] = []

    def make(**options: str | int) -> VoicemailServer:
        server = VoicemailServer(tmp_path, **options)  # type: ignore[arg-type]
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def voicemail(make_voicemail: Callable[..., VoicemailServer]) -> VoicemailServer:
    server = make_voicemail()
    server.start()
    return server


@pytest.fixture
def phone_port() -> int:
    return free_port()
