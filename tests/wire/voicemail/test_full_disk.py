"""A full disk, made by a small tmpfs: callers are told, what is there can be heard, and room again is noticed."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.wire.voicemail.caller import calling, header, tone
from tests.wire.voicemail.server import VoicemailServer
from tests.wire.voicemail.test_calls import at_the_tone

pytestmark = pytest.mark.wire

# The reserve, and room for the longest message: less than both together is full from the beginning.
DISK_BYTES = 72 * 1024 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "data"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no file system may be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_fills_up_is_said_to_and_takes_messages_again_when_there_is_room(
    small_disk: Path, make_voicemail: Callable[..., VoicemailServer]
) -> None:
    server = make_voicemail(settings="message_max_s = 30")
    server.start()
    with calling(server.switch, "deposit.alice@") as caller:
        at_the_tone(caller)
        caller.speak(tone(1004, 2.5))
        caller.press("#")
        caller.wait_ended()
    server.wait_messages("alice", 1)
    filler = small_disk / "filler"
    with calling(server.switch, "deposit.alice@") as caller:
        at_the_tone(caller)
        caller.speak(tone(1004, 1.0))
        with filler.open("wb") as file, pytest.raises(OSError, match="No space"):
            while True:
                os.write(file.fileno(), bytes(1 << 20))
        caller.speak(tone(1004, 3.0))
        caller.wait_ended()
    with calling(server.switch, "deposit.alice@") as caller:
        caller.invite()
        caller.wait_for(183)
        assert header(caller.wait_for(480), "Reason") == "Q.850;cause=42"
    with calling(server.switch, "retrieve.alice@") as owner:
        owner.dial()
        owner.press("11")
        owner.wait_heard(1004)
        owner.hang_up()
    filler.unlink()
    with calling(server.switch, "deposit.alice@") as caller:
        at_the_tone(caller)
        caller.speak(tone(1004, 2.5))
        caller.press("#")
        caller.wait_ended()
    server.wait_messages("alice", 2)
    server.assert_at_rest()
