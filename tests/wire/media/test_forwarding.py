"""The relay as a process: packets of two peers through real sockets."""

import socket
import stat
from pathlib import Path

import pytest

from media.relay.messages import (
    Bridge,
    Close,
    Figures,
    Granted,
    Hello,
    Open,
    Refused,
    Silent,
    Watch,
)
from media.rtp import RtpPacket, format_packet
from provisioning.message_frames import LENGTH_BYTES
from tests.wire.media.relays import (
    HOST,
    Call,
    Peer,
    RelayProcess,
    Switch,
    relay_and_switch,
    sender_report,
    until,
)

pytestmark = pytest.mark.wire


def test_two_peers_hear_each_other(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path) as (_, switch):
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


def test_ipv4_and_ipv6_hear_each_other_and_their_rtcp(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path, listen=(HOST, "::1")) as (_, switch):
        call = Call(switch, (HOST, "::1"))
        caller_rtcp, callee_rtcp = Peer(HOST), Peer("::1")
        switch.aim(call.a, call.caller.address, rtcp_port=caller_rtcp.address[1])
        switch.aim(call.b, call.callee.address, rtcp_port=callee_rtcp.address[1])
        call.settle()
        call.talk(10)
        report = sender_report(call.caller.ssrc, 0xABCD1234)
        caller_rtcp.send_raw((call.a_address[0], call.a_address[1] + 1), report)
        assert callee_rtcp.receive() == [report]
        callee_rtcp.send_raw((call.b_address[0], call.b_address[1] + 1), report)
        assert caller_rtcp.receive() == [report]
        assert switch.figures(call.b).remote_host == "::1"
        for peer in (call, caller_rtcp, callee_rtcp):
            peer.close()


def test_two_phones_behind_nat_hear_each_other(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path) as (_, switch):
        call = Call(switch, ("127.0.0.2", "127.0.0.3"))
        call.aim_behind_nat()
        call.caller.send(call.a_address, 5)
        call.callee.send(call.b_address, 5)
        switch.wait_seen(call.a, 5)
        switch.wait_seen(call.b, 5)
        assert switch.latched(call.a).port == call.caller.address[1]
        assert switch.latched(call.b).port == call.callee.address[1]
        call.caller.received()
        call.callee.received()
        call.talk(10)
        call.close()


def test_what_came_before_a_port_was_used_is_not_heard(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path) as (_, switch):
        caller, callee = Peer(), Peer()
        first, second = switch.port(), switch.port()
        caller.send((HOST, first), 20)
        switch.say(Open(91, HOST, first, "a"), Open(92, HOST, second, "b"), Bridge(91, 92))
        switch.aim(91, caller.address)
        switch.aim(92, callee.address)
        assert switch.figures(91).dropped == {"stale": 20}
        assert callee.received() == []
        caller.close()
        callee.close()


def test_silence_is_told(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path) as (_, switch):
        call = Call(switch)
        call.aim()
        switch.say(Watch(call.a, 1))
        assert switch.hear(Silent).for_s >= 1.0
        call.close()


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80", b"\x80\x08" + bytes(9), b"\x9f\x08" + bytes(30), b"\xff" * 12, b"\x80\x08" + bytes(1600),
     b"\x80\x60" + bytes(160), b"\x80\xc8\xff\xff" + bytes(8), bytes(60_000), b"\x16\xfe\xfd" + bytes(100)],
    ids=lambda data: f"{len(data)}-{data[:3].hex()}",
)  # fmt: skip
def test_hostile_packets_are_dropped_and_the_call_goes_on(tmp_path: Path, data: bytes) -> None:
    with relay_and_switch(tmp_path) as (_, switch):
        call = Call(switch)
        call.aim()
        call.talk()
        for to in (call.a_address, (HOST, call.a_address[1] + 1)):
            for _ in range(2):  # of the long ones a socket's buffer holds three
                call.caller.send_raw(to, data)
        call.talk()
        assert call.callee.received() == []
        assert sum(switch.wait_seen(call.a, 2 + 4).dropped.values()) == 4
        call.close()


def test_a_closed_call_leaves_nothing_behind(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path) as (relay, switch):
        call = Call(switch)
        call.aim()
        call.talk()
        switch.close_call(call.a, call.b)
        call.close()
        until(lambda: relay.descriptors() > 0)
        steady = relay.descriptors()
        for _ in range(50):
            call = Call(switch)
            call.aim()
            call.talk()
            switch.close_call(call.a, call.b)
            call.close()
        # Granted pairs are topped up in handfuls, so that there may be a few more or fewer of them.
        until(lambda: relay.descriptors() <= steady + 64, "the sockets to be closed")
        assert relay.stop() == 0
        assert not relay.socket.exists()


def test_sigterm_tells_the_last_figures(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path) as (relay, switch):
        call = Call(switch)
        call.aim()
        call.talk(3)
        assert relay.stop() == 0
        assert switch.hear(Figures, lambda one: one.endpoint == call.a and one.is_closed).packets == 3
        call.close()


def test_the_socket_is_for_its_owner_and_a_second_relay_is_refused(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path) as (relay, _):
        assert stat.S_IMODE(relay.socket.stat().st_mode) == 0o600
        second = RelayProcess(tmp_path)
        second.start()
        assert second.process is not None
        assert second.process.wait(10) == 1
        assert "another relay is running" in second.log.read_text()


def test_an_address_that_is_not_ours_is_said_at_the_start(tmp_path: Path) -> None:
    relay = RelayProcess(tmp_path, listen=("192.0.2.77",))
    relay.start()
    assert relay.process is not None
    assert relay.process.wait(10) == 1
    assert "192.0.2.77" in relay.log.read_text()


def test_a_port_that_another_program_has_is_passed_over(tmp_path: Path) -> None:
    relay = RelayProcess(tmp_path, pairs=20)
    taken = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(5)]
    for index, one in enumerate(taken):
        one.bind((HOST, relay.first + 4 * index + index % 2))
    relay.start()
    try:
        switch = Switch(relay)
        granted: set[int] = set()
        while len(granted) < 15:
            granted |= set(switch.hear(Granted).ports)
        assert not granted & {relay.first + 4 * index for index in range(5)}
        switch.say(Open(1, HOST, relay.first, "taken"))
        assert "cannot be opened" in switch.hear(Refused).reason
        switch.disconnect()
    finally:
        relay.stop()
        for one in taken:
            one.close()


def test_ports_that_run_out_are_granted_again_only_after_their_rest(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path, pairs=10) as (_, switch):
        used = [switch.open()[0] for _ in range(10)]
        switch.say(Open(99, HOST, 1, "odd"), Open(98, "192.0.2.1", 20_000, "elsewhere"))
        assert switch.hear(Refused, lambda one: one.endpoint == 99).reason == "not an even port"
        assert "does not listen" in switch.hear(Refused, lambda one: one.endpoint == 98).reason
        switch.close_call(*used)
        switch.heard.clear()
        switch.listen(1.0)
        assert not [one for one in switch.heard if isinstance(one, Granted)]


def test_what_is_no_message_ends_the_link_and_nothing_else(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path) as (relay, switch):
        call = Call(switch)
        call.aim()
        switch.say_raw((7).to_bytes(LENGTH_BYTES, "big") + b"garbage")
        until(lambda: not switch.listen(0.05), "the link to be cut")
        call.talk(5)
        again = Switch(relay, epoch=switch.epoch)
        again.hear(Hello)
        again.say(Close(call.a))
        assert again.hear(Figures).packets == 5
        again.disconnect()
        call.close()


def test_a_packet_of_a_secure_call_passes_untouched(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path) as (_, switch):
        call = Call(switch)
        call.aim()
        secret = format_packet(RtpPacket(8, 1, 160, call.caller.ssrc, bytes(range(170)), is_marked=True))
        call.caller.send_raw(call.a_address, secret)
        assert call.callee.receive() == [secret]
        call.close()
