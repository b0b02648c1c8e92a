"""An exchange that listens on every transport and on both families, and where its phones find it."""

from pathlib import Path

import msgspec

from demo.exchange import HOST
from demo.free_ports import free_port
from demo.phone_messages import PhoneSettings, Transport
from tests.wire.certificates import Authority
from tests.wire.phones.town import Town

HOST_IPV6 = "::1"
NAME = "sip.example.com"


class TransportsTown(Town):
    """`authority` signs its certificate, which `renew` replaces."""

    def __init__(self, directory: Path) -> None:
        self.ports = {name: free_port() for name in ("tls", "ws", "wss")}
        self.authority = Authority(directory)
        self.certificate = self.authority.issue("us", NAME, HOST, HOST_IPV6)
        listen = "\n".join(
            f'{name} = ["{HOST}:{port}", "[{HOST_IPV6}]:{port}"]' for name, port in self.ports.items()
        )
        main = f"""
[tls]
certificates = [["{self.certificate.certificate}", "{self.certificate.key}"]]
peer_ca = "{self.authority.file}"
"""
        super().__init__(directory, listen=f"{listen}\n", main=main, hosts=(HOST, f"[{HOST_IPV6}]"))

    def renew(self) -> None:
        self.authority.issue("us", NAME, HOST, HOST_IPV6)

    def server(self, way: str) -> str:
        """Where a phone registers. `way` is a transport, and a 6 for IPv6: "udp", "tls6"."""
        host = f"[{HOST_IPV6}]" if way.endswith("6") else HOST
        port = self.ports["tls"] if way.startswith("tls") else self.port
        return f"{host}:{port}"

    def phone(self, user: str, way: str) -> PhoneSettings:
        """pjsua2, which is built without IPv6."""
        transport = Transport(way)
        return msgspec.structs.replace(
            self.settings(user, name=f"{user}-{way}", transport=transport),
            server=self.server(way),
            ca_file=str(self.authority.file) if transport is Transport.TLS else "",
        )
