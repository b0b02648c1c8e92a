"""The edge as a process: real TCP connections on one side, the switch's own link on the other."""

import asyncio
import contextlib
import os
import socket
from pathlib import Path

import pytest

from demo.free_ports import free_port
from switch.edge.limits import EdgeLimits
from switch.edge.messages import VERSION, FromEdge, Hello, Received, reader_of_edge
from switch.sip.flow import TCP, Flow
from tests.wire.edges import (
    MESSAGE,
    WAIT_S,
    EdgeHere,
    EdgeProcess,
    Peer,
    Switch,
    edge_and_switch,
    is_cut_off,
    run,
    until,
)

pytestmark = pytest.mark.wire

def test_messages_travel_both_ways_on_one_connection(tmp_path: Path) -> None:
    async def test() -> None:
        async with edge_and_switch(tmp_path) as (edge, switch):
            peer = await edge.connect()
            peer.writer.write(MESSAGE % 1 + MESSAGE % 2)
            await until(lambda: len(switch.messages) == 2)
            (first, flow), (second, same_flow) = switch.messages
            assert (first, second) == (MESSAGE % 1, MESSAGE % 2)
            assert flow == same_flow
            assert (flow.transport, flow.remote_host, flow.local_port) == (TCP, "127.0.0.1", edge.port)
            assert flow.connection
            switch.link.send(flow, b"SIP/2.0 200 OK\r\n\r\n")
            assert await peer.read_some() == b"SIP/2.0 200 OK\r\n\r\n"
            peer.close()
            await until(lambda: switch.closed == [flow])

    run(test)


def test_a_message_that_arrives_byte_by_byte_is_one_message(tmp_path: Path) -> None:
    async def test() -> None:
        async with edge_and_switch(tmp_path) as (edge, switch):
            peer = await edge.connect()
            peer.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in MESSAGE % 1:
                peer.writer.write(bytes([byte]))
                await asyncio.sleep(0)
            await until(lambda: switch.messages)
            assert switch.messages[0][0] == MESSAGE % 1
            peer.close()

    run(test)


def test_a_ping_is_answered_without_troubling_the_switch(tmp_path: Path) -> None:
    async def test() -> None:
        async with edge_and_switch(tmp_path) as (edge, switch):
            peer = await edge.connect()
            peer.writer.write(b"\r\n\r\n")
            assert await peer.read_some() == b"\r\n"
            assert not switch.messages
            peer.close()

    run(test)


def test_another_protocol_is_cut_off(tmp_path: Path) -> None:
    async def test() -> None:
        async with edge_and_switch(tmp_path) as (edge, switch):
            peer = await edge.connect()
            peer.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await peer.read_some() == b""
            assert not switch.messages

    run(test)


def test_connections_and_messages_outlive_a_restart_of_the_switch(tmp_path: Path) -> None:
    async def test() -> None:
        async with edge_and_switch(tmp_path) as (edge, switch):
            peer = await edge.connect()
            peer.writer.write(MESSAGE % 1)
            await until(lambda: switch.messages)
            flow = switch.messages[0][1]
            await switch.stop()
            peer.writer.write(MESSAGE % 2)
            gone = await edge.connect()
            gone.writer.write(MESSAGE % 3)
            await asyncio.sleep(0.1)
            gone.close()
            await asyncio.sleep(0.1)

            successor = Switch(edge.path)
            await until(lambda: len(successor.messages) == 2 and successor.closed)
            assert [data for data, _ in successor.messages] == [MESSAGE % 2, MESSAGE % 3]
            assert successor.closed == [successor.messages[1][1]]
            successor.link.send(flow, b"still there")
            assert await peer.read_some() == b"still there"
            await successor.stop()

    run(test)


def test_the_link_comes_back_after_a_restart_of_the_edge_and_says_so(tmp_path: Path) -> None:
    async def test() -> None:
        async with edge_and_switch(tmp_path) as (edge, switch):
            peer = await edge.connect()
            peer.writer.write(MESSAGE % 1)
            await until(lambda: switch.messages)
            flow = switch.messages[0][1]
            await edge.kill()
            await until(lambda: not switch.link.is_connected)
            switch.link.send(flow, b"lost")
            await until(lambda: switch.failed == [flow])
            await edge.start()
            await until(lambda: switch.link.is_connected and switch.restarts == 1)
            switch.link.send(flow, b"lost too")
            await until(lambda: switch.failed == [flow, flow])

    run(test)


def test_a_message_without_a_connection_opens_one_and_the_next_reuses_it(tmp_path: Path) -> None:
    async def test() -> None:
        peers: list[Peer] = []
        server = await asyncio.start_server(lambda *streams: peers.append(Peer(*streams)), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with edge_and_switch(tmp_path) as (_, switch):
            asked = Flow(TCP, "127.0.0.1", port, "127.0.0.1", 5060)
            switch.link.send(asked, b"one,")
            switch.link.send(asked, b"two,")
            await until(lambda: peers)
            received = b""
            while received != b"one,two,":
                received += await peers[0].read_some()
            switch.link.send(asked, b"three")
            assert await peers[0].read_some() == b"three"
            assert len(peers) == 1
            peers[0].writer.write(MESSAGE % 1)
            await until(lambda: switch.messages)
            actual = switch.messages[0][1]
            assert actual.connection
            assert (actual.remote_host, actual.remote_port) == ("127.0.0.1", port)
            peers[0].close()
            await until(lambda: set(switch.closed) == {actual, asked})
        server.close()

    run(test)


def test_a_peer_that_cannot_be_reached_fails_that_message(tmp_path: Path) -> None:
    async def test() -> None:
        async with edge_and_switch(tmp_path) as (_, switch):
            nobody = Flow(TCP, "127.0.0.1", free_port(), "127.0.0.1", 5060)
            name = Flow(TCP, "carrier.example", 5060, "127.0.0.1", 5060)
            stranger = Flow(TCP, "127.0.0.1", 5060, "127.0.0.1", 5060, "ffff-1")
            for flow in (nobody, name, stranger):
                switch.link.send(flow, b"x")
            await until(lambda: set(switch.failed) == {nobody, name, stranger})

    run(test)


def test_one_source_gets_only_so_many_connections(tmp_path: Path) -> None:
    async def test() -> None:
        async with edge_and_switch(tmp_path, "connections_per_source_max = 2") as (edge, switch):
            peers = [await edge.connect() for _ in range(2)]
            for peer in peers:
                peer.writer.write(MESSAGE % 1)
            await until(lambda: len(switch.messages) == 2)
            refused = await edge.connect()
            with contextlib.suppress(ConnectionResetError):
                assert await refused.read_some() == b""
            peers[0].close()
            await until(lambda: len(switch.closed) == 1)
            again = await edge.connect()
            again.writer.write(MESSAGE % 2)
            await until(lambda: len(switch.messages) == 3)

    run(test)


def test_a_second_edge_on_one_socket_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    async def test() -> None:
        async with edge_and_switch(tmp_path) as (edge, switch):
            second = EdgeProcess(tmp_path)
            await second.start()
            assert second._process is not None
            assert await asyncio.wait_for(second._process.wait(), WAIT_S) == 1
            peer = await edge.connect()
            peer.writer.write(MESSAGE % 1)
            await until(lambda: switch.messages)

    run(test)


def test_sigterm_ends_the_edge_and_removes_its_socket(tmp_path: Path) -> None:
    async def test() -> None:
        async with edge_and_switch(tmp_path) as (edge, _):
            await edge.connect()
            assert await edge.stop() == 0
            assert not edge.path.exists()

    run(test)


def test_half_a_message_does_not_keep_a_connection(tmp_path: Path) -> None:
    async def test() -> None:
        async with EdgeHere(EdgeLimits(half_message_s=0.1)) as here:
            peer = await here.connect()
            peer.writer.write((MESSAGE % 1)[:40])
            assert await is_cut_off(peer)
            assert here.edge.counts.closed_half_message == 1

    run(test)


def test_a_trickle_does_not_extend_the_deadline_of_a_message(tmp_path: Path) -> None:
    async def test() -> None:
        async with EdgeHere(EdgeLimits(half_message_s=0.3)) as here:
            peer = await here.connect()

            async def trickle() -> None:
                for byte in MESSAGE % 1:
                    peer.writer.write(bytes([byte]))
                    await asyncio.sleep(0.05)

            trickling = asyncio.create_task(trickle())
            assert await is_cut_off(peer)
            assert here.edge.counts.closed_half_message == 1
            trickling.cancel()

    run(test)


def test_a_lone_line_end_is_no_half_message(tmp_path: Path) -> None:
    async def test() -> None:
        async with EdgeHere(EdgeLimits(half_message_s=0.1, first_message_s=100.0)) as here:
            peer = await here.connect()
            peer.writer.write(b"\r\n")
            await asyncio.sleep(1.3)
            peer.writer.write(MESSAGE % 1)
            await until(lambda: here.edge.counts.messages_in == 1)
            assert here.edge.counts.closed_half_message == 0

    run(test)


def test_a_connection_that_says_nothing_is_closed(tmp_path: Path) -> None:
    async def test() -> None:
        async with EdgeHere(EdgeLimits(first_message_s=0.1)) as here:
            assert await is_cut_off(await here.connect())
            assert here.edge.counts.closed_silent == 1

    run(test)


def test_an_idle_connection_is_closed_at_last(tmp_path: Path) -> None:
    async def test() -> None:
        async with EdgeHere(EdgeLimits(idle_s=0.1)) as here:
            peer = await here.connect()
            peer.writer.write(MESSAGE % 1)
            assert await is_cut_off(peer)
            assert here.edge.counts.closed_idle == 1

    run(test)


def test_without_a_switch_the_backlog_is_bounded_and_senders_are_made_to_wait(tmp_path: Path) -> None:
    async def test() -> None:
        async with EdgeHere(EdgeLimits(backlog_bytes_max=100_000)) as here:
            peer = await here.connect()
            burst = (MESSAGE % 1) * 200
            sent = 0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.5):
                    while True:
                        peer.writer.write(burst)
                        sent += 200
                        await peer.writer.drain()
            assert here.edge.link.is_congested
            taken = here.edge.counts.messages_in
            assert taken < sent
            assert taken * len(MESSAGE) < 1_000_000

            received: list[FromEdge] = []
            path = tmp_path / "edge.sock"
            server = await asyncio.get_running_loop().create_unix_server(here.edge.link.protocol, str(path))
            reader, writer = await asyncio.open_unix_connection(str(path))
            frames = reader_of_edge()
            while sum(isinstance(message, Received) for message in received) < sent - here.edge.link.dropped:
                received += frames.feed(await asyncio.wait_for(reader.read(65536), WAIT_S))
            assert received[0] == Hello(epoch="test", version=VERSION)
            writer.close()
            server.close()

    run(test)


def test_a_peer_that_does_not_read_is_cut_off(tmp_path: Path) -> None:
    async def test() -> None:
        async with EdgeHere(EdgeLimits(write_buffer_bytes_max=100_000)) as here:
            peer = await here.connect()
            peer.writer.write(MESSAGE % 1)
            await until(lambda: here.edge.counts.messages_in == 1)
            (connection,) = here.edge.connections()
            while connection.write(b"x" * 10_000):
                pass
            assert here.edge.counts.closed_not_reading == 1
            await until(lambda: not here.edge.connections())

    run(test)


def test_nothing_is_left_when_every_peer_has_gone(tmp_path: Path) -> None:
    async def test() -> None:
        async with EdgeHere(EdgeLimits()) as here:
            await asyncio.sleep(0)
            before = len(os.listdir("/proc/self/fd"))
            peers = [await here.connect() for _ in range(50)]
            for peer in peers:
                peer.writer.write((MESSAGE % 1)[: len(MESSAGE) // 2])
            await until(lambda: len(here.edge.connections()) == 50)
            for peer in peers:
                peer.close()
            await until(lambda: not here.edge.connections())
            assert here.edge.waiting() == 0
            await until(lambda: len(os.listdir("/proc/self/fd")) == before)

    run(test)
