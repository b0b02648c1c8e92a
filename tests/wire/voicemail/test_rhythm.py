"""Fifty callers who speak at once: every message is whole, and the rhythm of what they hear is reported.

The figures are those of the kernel's clock at arrival (SO_TIMESTAMPNS), so that this program's own delays are not in
them. They stand beside those of one caller alone in the same run; no bound is asserted, as the machine may be busy.
"""

import socket
import struct
import time
from collections.abc import Callable

import pytest

from tests.wire.voicemail.caller import Caller, tone
from tests.wire.voicemail.server import VoicemailServer

pytestmark = [pytest.mark.wire, pytest.mark.alone]

CALLERS = 50
SPEAK_S = 8.0
SO_TIMESTAMPNS = 35
BUFFER_BYTES = 1 << 20
SPEAKING_LATE_S = 1.5  # from the answer: past the tone


class Ears:
    """When each packet came to one caller, by the kernel."""

    def __init__(self, caller: Caller) -> None:
        self._socket = caller.rtp
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._socket.setblocking(False)
        self.came: list[float] = []

    def drain(self) -> None:
        while True:
            try:
                _, ancillary, _, _ = self._socket.recvmsg(2048, 256)
            except BlockingIOError:
                return
            for _, kind, data in ancillary:
                if kind == SO_TIMESTAMPNS:
                    seconds, nanoseconds = struct.unpack("qq", data[:16])
                    self.came.append(seconds + nanoseconds / 1e9)

    def deviations_ms(self) -> list[float]:
        """How far each gap was from 20 ms."""
        gaps = zip(self.came, self.came[1:], strict=False)
        return [abs(later - earlier - 0.02) * 1000 for earlier, later in gaps]


def speak_together(server: VoicemailServer, count: int, first: int) -> list[float]:
    """Deviations of all gaps while everybody was recorded."""
    callers = [
        Caller(server.switch, f"deposit.line{first + number}@", listens=False) for number in range(count)
    ]
    ears = [Ears(caller) for caller in callers]
    for caller in callers:
        caller.invite()
    for caller in callers:
        caller.wait_for(200)
        caller.press_by_info("#")
    pcm = tone(1004, 0.02)
    due = time.monotonic() + SPEAKING_LATE_S
    time.sleep(SPEAKING_LATE_S)
    for ear in ears:
        ear.drain()
        ear.came.clear()
    for beat in range(int(SPEAK_S * 50)):
        for caller in callers:
            caller.packet(pcm)
        if beat % 10 == 0:
            for ear in ears:
                ear.drain()
        due += 0.02
        time.sleep(max(due - time.monotonic(), 0))
    for ear in ears:
        ear.drain()
    for caller in callers:
        caller.hang_up()
        caller.close()
    return sorted(value for ear in ears for value in ear.deviations_ms())


def test_fifty_callers_at_once_leave_fifty_whole_messages(
    make_voicemail: Callable[..., VoicemailServer],
) -> None:
    server = make_voicemail()
    server.start()
    alone = speak_together(server, 1, 1000)
    together = speak_together(server, CALLERS, 0)
    for number in range(CALLERS):
        (message,) = server.wait_messages(f"line{number}", 1)
        assert abs(message.duration_ms / 1000 - SPEAK_S) < 1.5
    for name, deviations in (("one caller", alone), (f"{CALLERS} callers", together)):
        middle, high = (deviations[int(len(deviations) * share)] for share in (0.5, 0.99))
        print(
            f"\n{name}: gaps of 20 ms differ by {middle:.2f} ms in the middle, {high:.2f} ms at p99", end=""
        )
    server.assert_at_rest()
