"""Who is not part of a call gets none of it and puts nothing into it: each over a hundred calls (RTP bleed and inject,
CVE-2025-53399; promises H01 to H03)."""

import socket
from pathlib import Path

import pytest

from media.relay.messages import Bridge, Hello, Open
from tests.wire.media.relays import HOST, Call, Peer, RelayProcess, Switch, relay_and_switch

pytestmark = pytest.mark.wire

CALLS = 100
ATTACKER = "127.0.0.66"
PHONE = "127.0.0.2"
CALLEE = "127.0.0.3"


def attack_all_ports(attacker: Peer, relay: RelayProcess) -> None:
    for port in range(relay.first, relay.last + 1):
        attacker.send((HOST, port))


def test_bleed_a_stranger_gets_nothing_before_at_and_after_the_answer(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path, pairs=320) as (relay, switch):
        attacker = Peer(ATTACKER)
        attack_all_ports(attacker, relay)
        calls = [Call(switch, (PHONE, CALLEE)) for _ in range(CALLS)]
        for index, call in enumerate(calls):
            attacker.send(call.a_address, 10)
            attacker.send(call.b_address, 10)
            (call.aim if index % 2 else call.aim_behind_nat)()
            attacker.send(call.a_address, 10)
            attacker.send(call.b_address, 10)
            call.caller.send(call.a_address, 10)
            call.callee.send(call.b_address, 10)
            attacker.send(call.a_address, 10)
            attacker.send(call.b_address, 10)
            switch.wait_seen(call.a, 40)
            switch.wait_seen(call.b, 40)
            call.caller.received()
            call.callee.received()
            call.talk(5)
        assert attacker.received() == []
        attacker.close()
        for call in calls:
            call.close()


def test_inject_a_stranger_who_knows_ssrc_and_sequence_is_not_heard(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path) as (_, switch):
        attacker = Peer(ATTACKER)
        for index in range(CALLS):
            call = Call(switch, (PHONE, CALLEE))
            (call.aim if index % 2 else call.aim_behind_nat)()
            for peer, to in ((call.caller, call.a_address), (call.callee, call.b_address)):
                peer.send(to, 10)
            switch.wait_seen(call.a, 10)
            switch.wait_seen(call.b, 10)
            call.caller.received()
            call.callee.received()
            attacker.ssrc, attacker.sequence = call.caller.ssrc, call.caller.sequence
            attacker.timestamp = call.caller.timestamp
            attacker.send(call.a_address, 50, b"attack")
            call.talk(5)
            switch.wait_seen(call.a, 65)
            assert call.caller.received() == call.callee.received() == []
            a, _ = switch.close_call(call.a, call.b)
            assert a.dropped.get("stranger") == 50
            assert (a.remote_host, a.remote_port) == call.caller.address
            call.close()
        assert attacker.received() == []
        attacker.close()


def test_a_neighbour_at_the_phones_own_address_gets_nothing_of_a_public_call(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path) as (_, switch):
        neighbour = Peer(PHONE)
        for _ in range(CALLS):
            call = Call(switch, (PHONE, CALLEE))
            call.aim()
            call.talk(1)
            neighbour.ssrc, neighbour.sequence = call.caller.ssrc, call.caller.sequence
            neighbour.send(call.a_address, 50, b"attack")
            call.talk(5)
            switch.wait_seen(call.a, 56)
            assert call.callee.received() == []
            switch.close_call(call.a, call.b)
            call.close()
        assert neighbour.received() == []
        neighbour.close()


def test_a_neighbour_behind_the_same_nat_gets_fewer_than_five_packets_while_the_phone_is_looked_for(
    tmp_path: Path,
) -> None:
    with relay_and_switch(tmp_path) as (_, switch):
        neighbour = Peer(PHONE)
        for _ in range(CALLS):
            call = Call(switch, (PHONE, CALLEE))
            switch.aim(call.a, ("192.168.1.10", 4000), sources=(PHONE,))
            switch.aim(call.b, call.callee.address)
            call.settle()
            for _ in range(4):
                call.callee.send(call.b_address)
                neighbour.send(call.a_address)
                call.caller.send(call.a_address, 2)
            call.caller.send(call.a_address, 10)
            switch.wait_seen(call.a, 22)
            switch.wait_seen(call.b, 4)
            assert len(neighbour.received()) < 5
            switch.close_call(call.a, call.b)
            call.close()
        neighbour.close()


def test_race_at_a_new_description_neither_a_stranger_nor_a_neighbour_wins(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path) as (_, switch):
        attacker, neighbour = Peer(ATTACKER), Peer(PHONE)
        for index in range(CALLS):
            call = Call(switch, (PHONE, CALLEE))
            call.aim()
            call.talk(2)
            moved = Peer(PHONE)
            if index % 2:
                switch.aim(call.a, moved.address, version=2)
            else:  # hold and resume
                switch.aim(call.a, (PHONE, 0), version=2, sources=(PHONE,), may_be_silent=True)
                switch.aim(call.a, moved.address, version=3)
            for _ in range(4):
                attacker.send(call.a_address, 2, b"attack")
                neighbour.send(call.a_address, 1, b"attack")
            moved.send(call.a_address, 1, b"moved")
            assert call.callee.payloads(1) == [b"moved"]
            for _ in range(10):
                attacker.send(call.a_address, 1, b"attack")
                neighbour.send(call.a_address, 1, b"attack")
                moved.send(call.a_address, 1, b"moved")
                call.callee.send(call.b_address)
            assert call.callee.payloads(10) == [b"moved"] * 10
            moved.receive(10)
            switch.wait_seen(call.a, 2 + 12 + 1 + 30)
            assert call.callee.received() == []
            switch.close_call(call.a, call.b)
            moved.close()
            call.close()
        assert attacker.received() == []
        assert neighbour.received() == []
        attacker.close()
        neighbour.close()


def test_race_at_a_restart_of_the_relay_there_is_no_window(tmp_path: Path) -> None:
    relay = RelayProcess(tmp_path)
    relay.start()
    attacker, neighbour = Peer(ATTACKER), Peer(PHONE)
    try:
        switch = Switch(relay)
        calls = [Call(switch, (PHONE, CALLEE)) for _ in range(CALLS)]
        for call in calls:
            call.aim_behind_nat()
            call.caller.send(call.a_address, 10)
            call.callee.send(call.b_address, 10)
            switch.wait_seen(call.a, 10)
            switch.wait_seen(call.b, 10)
            call.caller.received()
            call.callee.received()
        found = {call.a: switch.latched(call.a) for call in calls}
        found |= {call.b: switch.latched(call.b) for call in calls}
        relay.kill()
        relay.start()
        again = Switch(relay)
        again.hear(Hello)
        restore(again, calls, found)
        for call in calls:
            attacker.send(call.a_address, 10, b"attack")
            neighbour.send(call.a_address, 10, b"attack")
            call.talk(3)
            again.wait_seen(call.a, 23)
            assert call.callee.received() == []
        assert attacker.received() == []
        assert neighbour.received() == []
        for call in calls:
            call.close()
        again.disconnect()
        switch.disconnect()
    finally:
        relay.stop()
        attacker.close()
        neighbour.close()


def restore(switch: Switch, calls: list[Call], found: dict) -> None:  # type: ignore[type-arg]
    """What a switch tells a relay that is new."""
    for call in calls:
        for endpoint, address, sdp in (
            (call.a, call.a_address, ("192.168.1.10", 4000)),
            (call.b, call.b_address, ("10.0.0.7", 4002)),
        ):
            one = found[endpoint]
            switch.say(Open(endpoint, *address, "again"))
            switch.aim(endpoint, sdp, sources=(one.host,), latched=(one.host, one.port, one.rtcp_port))
        switch.say(Bridge(call.a, call.b))
    switch.figures(calls[-1].b)


def test_a_scan_of_the_whole_range_gets_no_packet(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path, pairs=320) as (relay, switch):
        calls = [Call(switch, (PHONE, CALLEE)) for _ in range(5)]
        for call in calls:
            call.aim()
        scanner = Peer(ATTACKER)
        scanner.socket.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR: also what ICMP says is seen
        for data in (
            b"",
            b"\x80",
            scanner.packet(),
            b"\x80\xc8\x00\x01" + bytes(4),
            b"OPTIONS sip:x SIP/2.0\r\n\r\n",
        ):
            for port in range(relay.first, relay.last + 1):
                try:
                    scanner.send_raw((HOST, port), data)
                except OSError:  # a port that nobody has is closed, as the kernel says
                    continue
        for call in calls:
            call.talk(3)
        packets = []
        while True:
            try:
                packets.append(scanner.socket.recv(2048))
            except BlockingIOError:
                break
            except OSError:
                continue
        assert packets == []
        for call in calls:
            call.close()
        scanner.close()


def test_a_flood_by_a_stranger_costs_the_call_no_packet(tmp_path: Path) -> None:
    with relay_and_switch(tmp_path) as (_, switch):
        call = Call(switch, (PHONE, CALLEE))
        call.aim()
        flooder = Peer(ATTACKER)
        packet = flooder.packet()
        for _ in range(100):
            for _ in range(50):
                flooder.send_raw(call.a_address, packet)
            call.talk(1)
        assert switch.figures(call.b).lost == 0
        assert flooder.received() == []
        flooder.close()
        call.close()
