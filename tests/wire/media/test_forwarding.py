"""The relay as a process: packets of two peers through real sockets."""

from pathlib import Path

import pytest

from tests.wire.media.relays import Call, relay_and_switch

pytestmark = pytest.mark.wire


def test_two_peers_hear_each_other(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path) as (_relay, switch):
        call = Call(switch)
        call.aim()
        call.caller.send(call.a_address, 10, b"from a")
        assert call.callee.payloads(10) == [b"from a"] * 10
        call.callee.send(call.b_address, 10, b"from b")
        assert call.caller.payloads(10) == [b"from b"] * 10
        a, b = switch.close_call(call.a, call.b)
        assert (a.packets, a.packets_sent, a.lost, a.codec, a.is_closed) == (10, 10, 0, "PCMA", True)
        assert (b.remote_host, b.remote_port) == call.callee.address
        call.close()
