"""pjsua2 leaves a tone and hears it again: as long and as loud as it was, by the keys of a telephone."""

import json
import math
import subprocess
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from media.wav import format_wav, load_wav
from tests.wire.voicemail.caller import HOST, stretches, tone
from tests.wire.voicemail.server import REPOSITORY, VoicemailServer
from voicemail.mailbox import Message

pytestmark = [pytest.mark.wire, pytest.mark.alone]

HZ = 1004
TONE_S = 3.0


class Phone:
    """pjsua2 at one port, a call at a time."""

    def __init__(self, server: VoicemailServer, port: int, folder: Path) -> None:
        self._server = server
        self._port = port
        self._folder = folder
        self._calls = 0

    def call(
        self, target: str, steps: list[list[Any]], *, codec: str = "PCMA/8000", parameters: str = ""
    ) -> tuple[Any, Path]:
        """What became of it, and what was heard."""
        self._calls += 1
        script, heard = (self._folder / f"call{self._calls}.{end}" for end in ("json", "wav"))
        script.write_text(
            json.dumps(
                {
                    "port": self._port,
                    "codec": codec,
                    "caller": '"Ann Other" <sip:01632960111@127.0.0.1>',
                    "uri": f"sip:{target}@{HOST}:{self._server.port}{parameters}",
                    "record": str(heard),
                    "steps": steps,
                }
            )
        )
        done = subprocess.run(
            [sys.executable, "-m", "tests.wire.voicemail.speaker", str(script)],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        lines = [line for line in done.stdout.split("\n") if line.startswith("{")]
        assert lines, done.stdout + done.stderr
        return json.loads(lines[-1]), heard


@pytest.fixture
def server(make_voicemail: Callable[..., VoicemailServer], phone_port: int) -> VoicemailServer:
    server = make_voicemail(phone_port=phone_port)
    server.start()
    return server


def decibels(level: float, reference: float) -> float:
    return 20 * math.log10(level / reference)


@pytest.mark.parametrize("codec", ["PCMA/8000", "PCMU/8000", "G722/16000"])
def test_a_tone_comes_back_as_long_and_as_loud_as_it_was_left(
    server: VoicemailServer, phone_port: int, tmp_path: Path, codec: str
) -> None:
    spoken = tmp_path / "tone.wav"
    rate = 8000 if codec.startswith("PCM") else 16_000
    spoken.write_bytes(format_wav(tone(HZ, TONE_S, rate=rate), rate))
    phone = Phone(server, phone_port, tmp_path)
    left, _ = phone.call(
        "deposit.alice",
        [
            ["wait", 0.5],
            ["keys", "#"],
            ["wait", 1.5],
            ["speak", str(spoken)],
            ["wait", 3.6],
            ["keys", "#"],
            ["end"],
        ],
        codec=codec,
    )
    assert left["was_up"] and left["is_over"], server.log
    (message,) = server.wait_messages("alice", 1)
    kept = load_wav(server.store.sound_file("alice", message.id), 8000)
    retrieved, heard = phone.call(
        "retrieve.alice",
        [["wait", 0.6], ["keys", "1"], ["wait", 1.5], ["keys", "1"], ["wait", 6.5]],
        codec=codec,
    )
    assert retrieved["was_up"], server.log
    again = load_wav(heard, 8000)
    sent_level = math.sqrt(2) * _rms(load_wav(spoken, 8000).pcm)
    for pcm in (kept.pcm, again.pcm):
        ((begun, ended, level),) = stretches(pcm, HZ, 8000, least_s=1.0)
        assert abs((ended - begun) - TONE_S) <= 0.1
        assert abs(decibels(level, sent_level)) <= 1.0
    server.assert_at_rest()


def test_keys_save_delete_and_restore_and_the_lamp_follows(
    server: VoicemailServer, phone_port: int, tmp_path: Path
) -> None:
    for _ in range(2):
        file = server.store.begin("alice", Message("", 0, 0, caller="01632960111"), sample_rate=8000)
        file.append(tone(HZ, 1.0))
        file.commit(samples_max=None)
    server.switch.wait_published("Voice-Message: 2/0")
    phone = Phone(server, phone_port, tmp_path)
    done, _ = phone.call(
        "retrieve.alice", [["wait", 0.6], ["keys", "12"], ["wait", 0.5], ["keys", "33*#"], ["end"]]
    )
    assert done["is_over"]
    server.switch.wait_published("Voice-Message: 0/2")
    assert sorted(message.state.value for message in server.store.messages("alice")) == ["heard", "saved"]
    phone.call("retrieve.alice", [["wait", 0.6], ["keys", "13"], ["wait", 0.3]])  # and hangs up
    server.switch.wait_published("Voice-Message: 0/1")
    server.wait_messages("alice", 1)
    server.assert_at_rest()


def test_an_announcement_is_early_media_and_the_status_follows(
    server: VoicemailServer, phone_port: int, tmp_path: Path
) -> None:
    phone = Phone(server, phone_port, tmp_path)
    done, heard = phone.call("announce.barred", [["end"]], parameters=";status=403;cause=57")
    assert (done["was_up"], done["status"]) == (False, 403)
    assert _rms(load_wav(heard, 8000).pcm) > 100


def _rms(pcm: bytes) -> float:
    samples = array("h", pcm)
    return math.sqrt(sum(value * value for value in samples) / len(samples))
