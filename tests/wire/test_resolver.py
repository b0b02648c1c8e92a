"""The resolver against a name server that says the truth, lies, stalls and dies."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from switch.conf_addresses import TrunkAddress
from switch.transport import resolver as limits
from switch.transport.resolver import Resolver
from switch.trunks.locate import ENDPOINTS_MAX, Located, Reach, Wanted, in_order
from tests.name_server import NameServer, Zone

pytestmark = pytest.mark.wire

HOST = "127.0.0.1"
NAME = "carrier.example"
ZONE: Zone = {
    (NAME, "NAPTR"): [
        '10 20 "s" "SIP+D2U" "" _sip._udp.carrier.example.',
        '10 10 "s" "SIP+D2T" "" _sip._tcp.carrier.example.',
        '20 10 "s" "SIPS+D2T" "" _sips._tcp.carrier.example.',
    ],
    ("_sip._udp.carrier.example", "SRV"): ["10 0 5060 a.carrier.example.", "20 0 5070 b.carrier.example."],
    ("_sip._tcp.carrier.example", "SRV"): ["10 0 5080 alias.carrier.example."],
    ("a.carrier.example", "A"): ["192.0.2.1"],
    ("b.carrier.example", "A"): ["192.0.2.2"],
    ("alias.carrier.example", "CNAME"): ["b.carrier.example."],
    ("loop.example", "CNAME"): ["pool.example."],
    ("pool.example", "CNAME"): ["loop.example."],
    ("none.example", "TXT"): ["nothing"],
}


@pytest.fixture
def server() -> Iterator[NameServer]:
    with NameServer(dict(ZONE)).running() as running:
        yield running


def look_up(server: NameServer, *names: Wanted, reach: Reach = Reach()) -> dict[Wanted, Located]:  # noqa: B008
    """What each came to, all asked at once."""

    async def ask() -> dict[Wanted, Located]:
        found: dict[Wanted, Located] = {}
        resolver = Resolver(
            (TrunkAddress(HOST, server.port),), lambda wanted, located: found.update({wanted: located})
        )
        resolver.look_up(names, reach)
        async with asyncio.timeout(60):
            while len(found) < len(names):
                await asyncio.sleep(0.01)
        await resolver.stop()
        return found

    return asyncio.run(ask())


def one(server: NameServer, host: str, port: int = 0, transport: str = "UDP") -> Located:
    wanted = Wanted(host, port, transport)
    return look_up(server, wanted)[wanted]


def shown(located: Located) -> list[str]:
    return [str(endpoint) for endpoint in in_order(located, lambda: 0.0)]


def test_naptr_srv_alias_and_addresses(server: NameServer) -> None:
    assert shown(one(server, NAME, transport="")) == [
        "tcp:192.0.2.2:5080",
        "udp:192.0.2.1:5060",
        "udp:192.0.2.2:5070",
    ]
    assert shown(one(server, NAME)) == ["udp:192.0.2.1:5060", "udp:192.0.2.2:5070"]
    assert shown(one(server, "a.carrier.example", 5099)) == ["udp:192.0.2.1:5099"]
    assert one(server, NAME).ttl_s == 60


@pytest.mark.parametrize("host", ["nobody.example", "none.example"])
def test_a_name_without_records_is_no_failure(server: NameServer, host: str) -> None:
    located = one(server, host)
    assert (located.groups, located.problem, located.ttl_s) == ((), "", 30)


def test_a_loop_of_aliases_ends(server: NameServer) -> None:
    located = one(server, "loop.example", 5060)
    assert located.groups == ()
    assert located.problem


def test_a_flood_of_records_comes_by_tcp_and_is_cut(server: NameServer) -> None:
    hosts = [f"h{n}.carrier.example" for n in range(400)]
    server.zone["_sip._udp.carrier.example", "SRV"] = [f"{n} 0 5060 {host}." for n, host in enumerate(hosts)]
    for host in hosts:
        server.zone[host, "A"] = [f"192.0.2.{k}" for k in range(1, 101)]
    endpoints = in_order(one(server, NAME), lambda: 0.0)
    assert 0 < len(endpoints) <= ENDPOINTS_MAX
    assert len(server.asked) < 100


def test_answers_that_are_no_host_names_lead_nowhere(server: NameServer) -> None:
    server.zone["_sip._udp.carrier.example", "SRV"] = ["0 0 5060 evil\\013\\010name.example.", "1 0 5060 ."]
    assert one(server, NAME).groups == ()


@pytest.mark.parametrize("mode", ["fail", "silent"])
def test_a_name_server_that_fails_is_told_apart_from_no_record(
    server: NameServer, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "QUESTION_S", 1.0)
    server.mode = mode
    located = one(server, NAME)
    assert located.groups == ()
    assert "the name servers" in located.problem


def test_a_dead_name_server_is_a_failure(server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "QUESTION_S", 1.0)
    server.close()
    assert one(server, NAME).problem


def test_a_look_up_that_never_ends_is_ended(server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOOKUP_S", 0.2)
    server.mode = "silent"
    assert one(server, NAME).problem == "no end after 0.2 s"


def test_many_names_at_once_come_each_to_their_own(server: NameServer) -> None:
    for n in range(100):
        server.zone[f"t{n}.example", "A"] = [f"198.51.100.{n + 1}"]
    names = [Wanted(f"t{n}.example", 5060, "UDP") for n in range(100)]
    found = look_up(server, *names)
    assert [shown(found[wanted]) for wanted in names] == [
        [f"udp:198.51.100.{n + 1}:5060"] for n in range(100)
    ]


def test_an_answer_that_is_no_dns_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A liar off the path: what does not match the question is not taken."""
    monkeypatch.setattr(limits, "QUESTION_S", 0.5)

    async def ask(port: int) -> list[Located]:
        found: list[Located] = []
        resolver = Resolver((TrunkAddress(HOST, port),), lambda wanted, located: found.append(located))
        resolver.look_up([Wanted(NAME, 5060, "UDP")], Reach())
        while not found:
            await asyncio.sleep(0.01)
        await resolver.stop()
        return found

    class Garbage(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            for wrong in (b"", b"x" * 600, b"\xff" * 40, data[:2] + b"\x81\x80" + b"\xff" * 8):
                self.transport.sendto(wrong, addr)  # type: ignore[attr-defined]

    async def run() -> list[Located]:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            Garbage, local_addr=(HOST, 0), family=socket.AF_INET
        )
        try:
            return await ask(transport.get_extra_info("sockname")[1])
        finally:
            transport.close()

    (located,) = asyncio.run(run())
    assert located.groups == ()
    assert located.problem
