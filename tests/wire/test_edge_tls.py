"""TLS at the edge: who is shown which certificate, who is let in, whom we believe, and files that change."""

import asyncio
import contextlib
import os
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from switch.conf_edge import CertificateFiles, ClientCertificates, Tls
from switch.edge.certificates import TlsIdentity, load_identity
from switch.edge.limits import EdgeLimits
from switch.sip.flow import TLS, Flow
from tests.wire.certificates import Authority
from tests.wire.edges import (
    MESSAGE,
    WAIT_S,
    EdgeHere,
    Peer,
    edge_and_switch,
    is_cut_off,
    run,
    until,
)

pytestmark = pytest.mark.wire

REFUSED = (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError)


def identity(tls: Tls) -> TlsIdentity:
    loaded = load_identity(tls, Path("/"), TlsIdentity())
    assert not loaded.refused
    return loaded


def tls_here(tls: Tls, limits: EdgeLimits | None = None) -> EdgeHere:
    return EdgeHere(limits or EdgeLimits(), transport=TLS, identity=identity(tls))


async def connect_tls(port: int, context: ssl.SSLContext, name: str) -> Peer:
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                return Peer(
                    *await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
                )
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)


def serial_of(peer: Peer) -> str:
    return str(peer.writer.get_extra_info("peercert")["serialNumber"])


def shown_to_openssl(port: int, name: str) -> str:
    """The certificate's serial number as `openssl s_client` sees it."""
    program = shutil.which("openssl")
    assert program, "openssl is not installed"
    shown = subprocess.run(
        [program, "s_client", "-connect", f"127.0.0.1:{port}", "-servername", name],
        input=b"", capture_output=True, timeout=WAIT_S, check=False,
    )  # fmt: skip
    read = subprocess.run(
        [program, "x509", "-noout", "-serial"], input=shown.stdout, capture_output=True, check=True
    )
    return read.stdout.decode().strip().removeprefix("serial=")


def tls_lines(tls: Tls) -> str:
    pairs = ", ".join(f'["{files.certificate}", "{files.key}"]' for files in tls.certificates)
    lines = [
        "[tls]",
        f"certificates = [{pairs}]",
        f'client_certificates = "{tls.client_certificates.value}"',
        f'client_ca = "{tls.client_ca}"',
        f'peer_ca = "{tls.peer_ca}"',
    ]
    return "\n".join(lines)


@contextlib.asynccontextmanager
async def tls_edge(directory: Path, tls: Tls):  # type: ignore[no-untyped-def]
    """The edge as a process with a TLS listener."""
    async with edge_and_switch(directory, 'tls = ["127.0.0.1:{tls}"]', tls_lines(tls)) as pair:
        yield pair


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_messages_travel_both_ways(tmp_path: Path, version: ssl.TLSVersion) -> None:
    async def test() -> None:
        authority = Authority(tmp_path)
        async with tls_edge(tmp_path, authority.tls(authority.issue("us", "sip.example.com"))) as (
            edge,
            switch,
        ):
            context = authority.client()
            context.minimum_version = context.maximum_version = version
            peer = await connect_tls(edge.ports["tls"], context, "sip.example.com")
            peer.writer.write(MESSAGE % 1)
            peer.writer.write(b"\r\n\r\n")
            await until(lambda: switch.messages)
            data, flow = switch.messages[0]
            assert data == MESSAGE % 1
            assert (flow.transport, flow.remote_host, flow.local_port) == (
                TLS,
                "127.0.0.1",
                edge.ports["tls"],
            )
            assert await peer.read_some() == b"\r\n"
            switch.link.send(flow, b"x" * 100_000)
            assert await asyncio.wait_for(peer.reader.readexactly(100_000), WAIT_S) == b"x" * 100_000
            peer.close()
            await until(lambda: switch.closed == [flow])

    run(test)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_1_1_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        authority = Authority(tmp_path)
        async with tls_here(authority.tls(authority.issue("us", "sip.example.com"))) as here:
            context = authority.client()
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
            with pytest.raises(REFUSED):
                await here.connect(context, "sip.example.com")
            await until(lambda: here.edge.counts.closed_tls == 1 and not here.edge.connections())

    run(test)


def test_each_name_gets_its_certificate_and_no_name_the_first(tmp_path: Path) -> None:
    async def test() -> None:
        authority = Authority(tmp_path)
        tls = authority.tls(
            authority.issue("one", "one.example.com"),
            authority.issue("two", "two.example.com", "*.two.example.com"),
        )
        async with tls_here(tls) as here:
            for asked, name in (
                ("one.example.com", "one.example.com"),
                ("two.example.com", "two.example.com"),
                ("west.two.example.com", "two.example.com"),
                ("else.example.com", "one.example.com"),
            ):
                context = authority.client()
                context.check_hostname = False
                peer = await here.connect(context, asked)
                names = [text for kind, text in peer.writer.get_extra_info("peercert")["subjectAltName"]]
                assert names[0] == name

    run(test)


def test_a_certificate_that_changes_is_taken_over_and_live_connections_stay(tmp_path: Path) -> None:
    async def test() -> None:
        authority = Authority(tmp_path)
        tls = authority.tls(authority.issue("us", "sip.example.com"))
        async with tls_edge(tmp_path, tls) as (edge, switch):
            port = edge.ports["tls"]
            peer = await connect_tls(port, authority.client(), "sip.example.com")
            old = await asyncio.to_thread(shown_to_openssl, port, "sip.example.com")
            assert int(serial_of(peer), 16) == int(old, 16)
            authority.issue("us", "sip.example.com")
            async with asyncio.timeout(WAIT_S):
                while await asyncio.to_thread(shown_to_openssl, port, "sip.example.com") == old:
                    await asyncio.sleep(0.1)
            peer.writer.write(MESSAGE % 1)
            await until(lambda: switch.messages)
            switch.link.send(switch.messages[0][1], b"still there")
            assert await peer.read_some() == b"still there"
            peer.close()

    run(test)


def test_a_broken_certificate_is_refused_and_the_old_one_goes_on(tmp_path: Path) -> None:
    async def test() -> None:
        authority = Authority(tmp_path)
        files = authority.issue("us", "sip.example.com")
        async with tls_edge(tmp_path, authority.tls(files)) as (edge, switch):
            old = await asyncio.to_thread(shown_to_openssl, edge.ports["tls"], "sip.example.com")
            shutil.copy(authority.issue("other", "sip.example.com").key, files.key)
            await until(lambda: switch.link.counts.files_refused)
            assert "key values mismatch" in switch.link.counts.files_refused[files.certificate]
            assert await asyncio.to_thread(shown_to_openssl, edge.ports["tls"], "sip.example.com") == old
            Path(files.certificate).write_text("nonsense")
            await until(lambda: "no PEM file" in switch.link.counts.files_refused.get(files.certificate, ""))
            assert await asyncio.to_thread(shown_to_openssl, edge.ports["tls"], "sip.example.com") == old
            authority.issue("us", "sip.example.com")
            await until(lambda: not switch.link.counts.files_refused)
            assert await asyncio.to_thread(shown_to_openssl, edge.ports["tls"], "sip.example.com") != old
            (certificate,) = switch.link.counts.certificates
            assert certificate.names == ("sip.example.com",)

    run(test)


def test_without_a_certificate_tcp_is_served_and_tls_comes_with_the_file(tmp_path: Path) -> None:
    async def test() -> None:
        authority = Authority(tmp_path)
        files = CertificateFiles(str(tmp_path / "us.pem"), str(tmp_path / "us.key"))
        async with tls_edge(tmp_path, authority.tls(files)) as (edge, switch):
            peer = await edge.connect()
            peer.writer.write(MESSAGE % 1)
            await until(lambda: switch.messages)
            with pytest.raises(REFUSED):
                await connect_tls(edge.ports["tls"], authority.client(), "sip.example.com")
            authority.issue("us", "sip.example.com")
            async with asyncio.timeout(WAIT_S):
                while True:
                    with contextlib.suppress(*REFUSED):
                        (await connect_tls(edge.ports["tls"], authority.client(), "sip.example.com")).close()
                        break
                    await asyncio.sleep(0.1)

    run(test)


@pytest.mark.parametrize(
    ("clients", "shows", "is_served"),
    [
        (ClientCertificates.REQUIRED, "ours", True),
        (ClientCertificates.REQUIRED, "foreign", False),
        (ClientCertificates.REQUIRED, "none", False),
        (ClientCertificates.OPTIONAL, "ours", True),
        (ClientCertificates.OPTIONAL, "foreign", False),
        (ClientCertificates.OPTIONAL, "none", True),
        (ClientCertificates.NONE, "none", True),
    ],
)
def test_a_client_certificate(
    tmp_path: Path, clients: ClientCertificates, shows: str, is_served: bool
) -> None:
    async def test() -> None:
        authority = Authority(tmp_path)
        (tmp_path / "foreign").mkdir()
        issuers = {"ours": authority, "foreign": Authority(tmp_path / "foreign")}
        certificate = issuers[shows].issue("client", "pbx.example.com") if shows in issuers else None
        tls = authority.tls(authority.issue("us", "sip.example.com"), clients=clients)
        async with tls_here(tls) as here:
            if is_served:
                peer = await here.connect(authority.client(certificate), "sip.example.com")
                peer.writer.write(MESSAGE % 1)
                await until(lambda: here.edge.counts.messages_in == 1)
                return
            with pytest.raises(REFUSED):
                peer = await here.connect(authority.client(certificate), "sip.example.com")
                peer.writer.write(MESSAGE % 1)
                await asyncio.wait_for(peer.reader.readexactly(1), WAIT_S)
            await until(lambda: here.edge.counts.closed_tls == 1)
            assert here.edge.counts.messages_in == 0

    run(test)


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01\x00"], ids=["nothing", "a beginning"])
def test_a_handshake_that_stalls_is_cut(tmp_path: Path, said: bytes) -> None:
    async def test() -> None:
        authority = Authority(tmp_path)
        tls = authority.tls(authority.issue("us", "sip.example.com"))
        async with tls_here(tls, EdgeLimits(handshake_s=0.2)) as here:
            peer = await here.connect()
            peer.writer.write(said)
            done = await here.connect(authority.client(), "sip.example.com")
            assert await is_cut_off(peer)
            assert here.edge.counts.closed_handshake == 1
            done.writer.write(MESSAGE % 1)
            await until(lambda: here.edge.counts.messages_in == 1)

    run(test)


def test_handshakes_that_are_not_done_are_limited(tmp_path: Path) -> None:
    async def test() -> None:
        authority = Authority(tmp_path)
        tls = authority.tls(authority.issue("us", "sip.example.com"))
        async with tls_here(tls, EdgeLimits(handshakes_max=2)) as here:
            for _ in range(2):
                await here.connect()
            await until(lambda: len(here.edge.connections()) == 2)
            assert await is_cut_off(await here.connect())
            assert here.edge.counts.refused_handshakes == 1

    run(test)


def test_plain_sip_on_the_tls_port_is_cut_off(tmp_path: Path) -> None:
    async def test() -> None:
        authority = Authority(tmp_path)
        async with tls_here(authority.tls(authority.issue("us", "sip.example.com"))) as here:
            peer = await here.connect()
            peer.writer.write(MESSAGE % 1)
            await peer.read_some()  # an alert
            assert await is_cut_off(peer)
            assert (here.edge.counts.closed_tls, here.edge.counts.messages_in) == (1, 0)

    run(test)


# Connections that we open


class Carrier:
    """A TLS server, and the names it was asked for."""

    def __init__(self, authority: Authority, files: CertificateFiles) -> None:
        self.peers: list[Peer] = []
        self.names: list[str | None] = []
        self._context = authority.server(files)
        self._context.sni_callback = lambda connection, name, context: self.names.append(name)
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> "Carrier":
        self._server = await asyncio.start_server(
            lambda *streams: self.peers.append(Peer(*streams)), "127.0.0.1", 0, ssl=self._context
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        for peer in self.peers:
            peer.writer.transport.abort()
        self._server.close()

    def flow(self) -> Flow:
        return Flow(TLS, "127.0.0.1", self.port, "127.0.0.1", 5061)


@pytest.mark.parametrize(
    ("identities", "expected", "is_good"),
    [
        (("sip.carrier.example",), "sip.carrier.example", True),
        (("sip.carrier.example",), "other.example", False),
        (("*.carrier.example",), "sip.carrier.example", False),
        (("sip.carrier.example",), "", False),
        (("sip.carrier.example", "127.0.0.1"), "", True),
        (("127.0.0.1",), "sip.carrier.example", False),
    ],
)
def test_a_peer_must_be_who_it_is_called(
    tmp_path: Path, identities: tuple[str, ...], expected: str, is_good: bool
) -> None:
    async def test() -> None:
        authority = Authority(tmp_path)
        us = authority.issue("us", "sip.example.com")
        async with (
            Carrier(authority, authority.issue("carrier", *identities)) as carrier,
            tls_edge(tmp_path, authority.tls(us)) as (_, switch),
        ):
            flow = carrier.flow()
            if expected:
                switch.link.expect_name(TLS, "127.0.0.1", carrier.port, expected)
            switch.link.send(flow, b"INVITE")
            if is_good:
                await until(lambda: carrier.peers)
                assert await carrier.peers[0].read_some() == b"INVITE"
                assert carrier.names == [expected or None]
            else:
                await until(lambda: switch.failed == [flow])
                assert all([await is_cut_off(peer) for peer in carrier.peers])

    run(test)


def test_a_peer_of_another_authority_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        authority = Authority(tmp_path)
        (tmp_path / "foreign").mkdir()
        foreign = Authority(tmp_path / "foreign")
        async with (
            Carrier(foreign, foreign.issue("carrier", "127.0.0.1")) as carrier,
            tls_edge(tmp_path, authority.tls(authority.issue("us", "sip.example.com"))) as (_, switch),
        ):
            switch.link.send(carrier.flow(), b"INVITE")
            await until(lambda: switch.failed == [carrier.flow()])

    run(test)


@pytest.mark.parametrize("is_opened_first", [True, False])
def test_a_connection_is_not_reused_for_another_name(tmp_path: Path, is_opened_first: bool) -> None:
    async def test() -> None:
        authority = Authority(tmp_path)
        us = authority.issue("us", "sip.example.com")
        async with (
            Carrier(authority, authority.issue("carrier", "one.example", "two.example")) as carrier,
            tls_edge(tmp_path, authority.tls(us)) as (_, switch),
        ):
            flow = carrier.flow()
            switch.link.expect_name(TLS, "127.0.0.1", carrier.port, "one.example")
            switch.link.send(flow, b"1")
            switch.link.send(flow, b"2")
            if is_opened_first:
                await until(lambda: carrier.peers)
            switch.link.expect_name(TLS, "127.0.0.1", carrier.port, "three.example")
            switch.link.send(flow, b"3")
            await until(lambda: switch.failed == [flow])
            await until(lambda: carrier.peers)
            assert await carrier.peers[0].read_some() == b"12"

    run(test)


def test_an_edge_that_starts_anew_is_told_the_names_again(tmp_path: Path) -> None:
    async def test() -> None:
        authority = Authority(tmp_path)
        us = authority.issue("us", "sip.example.com")
        async with (
            Carrier(authority, authority.issue("carrier", "one.example")) as carrier,
            tls_edge(tmp_path, authority.tls(us)) as (edge, switch),
        ):
            switch.link.expect_name(TLS, "127.0.0.1", carrier.port, "one.example")
            await edge.kill()
            await until(lambda: not switch.link.is_connected)
            await edge.start()
            await until(lambda: switch.link.is_connected)
            switch.link.send(carrier.flow(), b"INVITE")
            await until(lambda: carrier.peers)
            assert await carrier.peers[0].read_some() == b"INVITE"

    run(test)


@pytest.mark.parametrize(("shows", "is_reused"), [("sip.carrier.example", True), ("other.example", False)])
def test_a_trunks_alias_is_taken_with_its_verified_certificate_only(
    tmp_path: Path, shows: str, is_reused: bool
) -> None:
    async def test() -> None:
        authority = Authority(tmp_path)
        tls = authority.tls(authority.issue("us", "sip.example.com"), clients=ClientCertificates.OPTIONAL)
        async with tls_edge(tmp_path, tls) as (edge, switch):
            context = authority.client(authority.issue("carrier", shows))
            peer = await connect_tls(edge.ports["tls"], context, "sip.example.com")
            peer.writer.write(MESSAGE % 1)
            await until(lambda: switch.messages)
            flow = switch.messages[0][1]
            nobody = 9  # an advertised port that nobody listens on: only the alias leads there
            switch.link.expect_name(TLS, "127.0.0.1", nobody, "sip.carrier.example")
            switch.link.alias(flow, nobody)
            asked = Flow(TLS, "127.0.0.1", nobody, "127.0.0.1", 5061)
            switch.link.send(asked, b"INVITE")
            if is_reused:
                assert await peer.read_some() == b"INVITE"
                peer.close()
                await until(lambda: set(switch.closed) == {flow, asked})
            else:
                await until(lambda: switch.failed == [asked])
                peer.close()

    run(test)


def test_nothing_is_left_of_connections_that_came_and_went(tmp_path: Path) -> None:
    async def test() -> None:
        authority = Authority(tmp_path)
        async with tls_here(authority.tls(authority.issue("us", "sip.example.com"))) as here:
            before = len(os.listdir("/proc/self/fd"))
            for _ in range(20):
                peer = await here.connect(authority.client(), "sip.example.com")
                peer.writer.write((MESSAGE % 1)[:50])
                await peer.closed()
            await until(lambda: not here.edge.connections())
            assert here.edge.waiting() == 0
            await until(lambda: len(os.listdir("/proc/self/fd")) <= before)

    run(test)
