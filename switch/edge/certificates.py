"""Certificates of our own, read from files and proven to work before anybody is shown one.

Reading a pair makes a server context and lets it shake hands with a client in memory: what that client sees is what a
phone would see, so the names and the expiry come from there and a key that does not fit is found at once. Blocking:
called from a thread, or before there is a loop.
"""

import contextlib
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from switch.conf_edge import CertificateFiles, ClientCertificates, Tls, in_folder
from switch.edge.peer_identity import served_names

# Two certificates of an Elliptic Curve or RSA key with their chains are a tenth of this.
PEM_BYTES_MAX = 256 * 1024
HANDSHAKE_TURNS = 4  # TLS 1.3 needs two, TLS 1.2 three
# X509_V_FLAG_PARTIAL_CHAIN and X509_V_FLAG_NO_CHECK_TIME of OpenSSL: our own certificate is its own anchor in the
# rehearsal, and one that has expired is still shown, with a warning elsewhere.
REHEARSAL_FLAGS = ssl.VerifyFlags(0x80000 | 0x200000)


class CertificateProblem(Exception):  # noqa: N818 - the file's fault
    """A file of [tls] cannot be used; the text says which and why."""


class OwnCertificate(msgspec.Struct, frozen=True):
    """One pair as it is in use. `names` as SNI asks for them; `not_after_s` is UTC seconds."""

    files: CertificateFiles
    context: ssl.SSLContext
    names: tuple[str, ...]
    not_after_s: float


class TlsIdentity(msgspec.Struct, frozen=True):
    """All that [tls] says, read: exchanged as a whole when files change.

    `certificates` has what can be used, in the order of the configuration. `dialling` is None when no CA could be
    read. `refused` says of each file or pair that could not be used why; what was there before may still be in use.
    """

    certificates: tuple[OwnCertificate, ...] = ()
    dialling: ssl.SSLContext | None = None
    refused: Mapping[str, str] = {}

    def for_name(self, name: str | None) -> OwnCertificate:
        """The certificate for a name that a client asked for; the first where none has it."""
        wanted = (name or "").lower().rstrip(".")
        wildcard = "*." + wanted.partition(".")[2]
        for pattern in (wanted, wildcard):
            for certificate in self.certificates:
                if pattern in certificate.names:
                    return certificate
        return self.certificates[0]

    def answer_name(self, connection: ssl.SSLObject, name: str | None, first: ssl.SSLContext) -> None:
        """OpenSSL asks during the handshake (SNI, RFC 6066 3)."""
        context = self.for_name(name).context
        if context is not first:
            connection.context = context

    def server_context(self) -> ssl.SSLContext | None:
        """What a connection begins with; the name that it asks for may change it. None without a certificate."""
        return self.certificates[0].context if self.certificates else None


def load_identity(tls: Tls, folder: Path, before: TlsIdentity) -> TlsIdentity:
    """Everything that can be read now; where something cannot, what `before` had of it."""
    refused: dict[str, str] = {}
    old = {certificate.files: certificate for certificate in before.certificates}
    certificates = []
    for files in tls.certificates:
        try:
            certificates.append(read_own_certificate(files, tls, folder))
        except CertificateProblem as problem:
            refused[files.certificate] = str(problem)
            if files in old:
                certificates.append(old[files])
    try:
        dialling: ssl.SSLContext | None = dialling_context(tls, folder)
    except CertificateProblem as problem:
        refused[tls.peer_ca or "the system's CAs"] = str(problem)
        dialling = before.dialling
    identity = TlsIdentity(tuple(certificates), dialling, refused)
    for certificate in certificates:
        certificate.context.sni_callback = identity.answer_name
    return identity


def read_own_certificate(files: CertificateFiles, tls: Tls, folder: Path) -> OwnCertificate:
    """One pair. Raises CertificateProblem."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    _load_pair(context, files, folder)
    seen = _rehearse(context, in_folder(folder, files.certificate))
    _ask_clients(context, tls, folder)
    return OwnCertificate(
        files=files,
        context=context,
        names=served_names(seen),
        not_after_s=ssl.cert_time_to_seconds(str(seen["notAfter"])),
    )


def dialling_context(tls: Tls, folder: Path) -> ssl.SSLContext:
    """For connections that we open: the peer's chain is verified here, its name by peer_identity.py.

    It shows our first certificate to a peer that asks for one. Raises CertificateProblem.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    if tls.peer_ca:
        _load_cas(context, in_folder(folder, tls.peer_ca))
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if tls.certificates:
        _load_pair(context, tls.certificates[0], folder)
    return context


def files_of(tls: Tls, folder: Path) -> list[Path]:
    """Every file that [tls] names."""
    pairs = [path for files in tls.certificates for path in (files.certificate, files.key)]
    return [in_folder(folder, path) for path in (*pairs, tls.client_ca, tls.peer_ca) if path]


def expiry_text(not_after_s: float) -> str:
    return datetime.fromtimestamp(not_after_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION


def _load_pair(context: ssl.SSLContext, files: CertificateFiles, folder: Path) -> None:
    certificate, key = in_folder(folder, files.certificate), in_folder(folder, files.key)
    for path in (certificate, key):
        _check_readable(path)
    try:
        # A pass phrase would be asked for on the terminal, which a server has not.
        context.load_cert_chain(certificate, key, password=_no_pass_phrase)
    except ssl.SSLError as error:
        raise CertificateProblem(f"{certificate} with {key}: {_words(error)}") from None
    except (OSError, ValueError) as error:
        raise CertificateProblem(f"{certificate} with {key}: {error}") from None


def _no_pass_phrase() -> str:
    raise ValueError("the key has a pass phrase, and there is nobody to ask for it")


def _ask_clients(context: ssl.SSLContext, tls: Tls, folder: Path) -> None:
    if tls.client_certificates is ClientCertificates.NONE:
        return
    is_required = tls.client_certificates is ClientCertificates.REQUIRED
    context.verify_mode = ssl.CERT_REQUIRED if is_required else ssl.CERT_OPTIONAL
    _load_cas(context, in_folder(folder, tls.client_ca))


def _load_cas(context: ssl.SSLContext, path: Path) -> None:
    _check_readable(path)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise CertificateProblem(f"{path}: {_words(error)}") from None


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            data = stream.read(PEM_BYTES_MAX + 1)
    except OSError as error:
        raise CertificateProblem(f"{path}: {error.strerror or error}") from None
    if len(data) > PEM_BYTES_MAX or b"-----BEGIN " not in data:
        raise CertificateProblem(f"{path}: no PEM file of at most {PEM_BYTES_MAX} bytes")


def _rehearse(context: ssl.SSLContext, certificate: Path) -> Mapping[str, object]:
    """The certificate as a client sees it. Raises CertificateProblem when no client could."""
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        client_context.load_verify_locations(cadata=_first_certificate(certificate))
        client_context.verify_flags = REHEARSAL_FLAGS
        client = client_context.wrap_bio(to_client, to_server)
        server = context.wrap_bio(to_server, to_client, server_side=True)
        for _ in range(HANDSHAKE_TURNS):
            _step(client)
            _step(server)
        return client.getpeercert() or {}
    except (ssl.SSLError, ValueError) as error:
        raise CertificateProblem(f"{certificate}: {_words(error)}") from None


def _step(side: ssl.SSLObject) -> None:
    with contextlib.suppress(ssl.SSLWantReadError):
        side.do_handshake()


def _first_certificate(path: Path) -> str:
    text = path.read_text(encoding="ascii", errors="replace")
    end = "-----END CERTIFICATE-----"
    return text[: text.find(end) + len(end)][text.find("-----BEGIN CERTIFICATE-----") :]


def _words(error: Exception) -> str:
    """OpenSSL's reason without its file and line."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return str(error)
