"""A CA and what it signs, as PEM files, for tests."""

import ssl
from pathlib import Path

import trustme

from switch.conf_edge import CertificateFiles, ClientCertificates, Tls


class Authority:
    """Files are written below `directory`."""

    def __init__(self, directory: Path) -> None:
        self.ca = trustme.CA()
        self.directory = directory
        self.file = directory / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.file))

    def issue(self, name: str, *identities: str) -> CertificateFiles:
        """`name`.pem and `name`.key, or the same files anew."""
        files = CertificateFiles(str(self.directory / f"{name}.pem"), str(self.directory / f"{name}.key"))
        issued = self.ca.issue_cert(*identities)
        issued.private_key_pem.write_to_path(files.key)
        Path(files.certificate).write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        return files

    def tls(
        self, *certificates: CertificateFiles, clients: ClientCertificates = ClientCertificates.NONE
    ) -> Tls:
        """[tls] that believes in this authority, whoever asks."""
        asks = clients is not ClientCertificates.NONE
        return Tls(
            certificates=certificates,
            client_certificates=clients,
            client_ca=str(self.file) if asks else "",
            peer_ca=str(self.file),
        )

    def client(self, certificate: CertificateFiles | None = None) -> ssl.SSLContext:
        """A peer that believes in this authority and nobody else."""
        context = ssl.create_default_context(cafile=str(self.file))
        if certificate is not None:
            context.load_cert_chain(certificate.certificate, certificate.key)
        return context

    def server(self, certificate: CertificateFiles) -> ssl.SSLContext:
        """A carrier that shows this."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        return context
