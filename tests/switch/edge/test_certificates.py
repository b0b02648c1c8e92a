"""Certificates of our own out of files: what is taken, what is refused and in which words."""

import datetime
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from offhook.commands.tls_findings import tls_findings
from switch.conf_edge import CertificateFiles, ClientCertificates, Tls
from switch.edge.certificates import CertificateProblem, TlsIdentity, load_identity, read_own_certificate
from tests.switch.conf_folder import ConfFolder
from tests.wire.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_names_and_end_are_what_a_client_sees(authority: Authority) -> None:
    files = authority.issue("us", "sip.example.com", "*.example.com", "192.0.2.1")
    read = read_own_certificate(files, Tls(), authority.directory)
    assert read.names == ("sip.example.com", "*.example.com")
    assert read.not_after_s > 0


def test_paths_count_from_the_folder(authority: Authority) -> None:
    authority.issue("us", "sip.example.com")
    read_own_certificate(CertificateFiles("us.pem", "us.key"), Tls(), authority.directory)


def mismatched(authority: Authority) -> CertificateFiles:
    return CertificateFiles(
        authority.issue("a", "a.example").certificate, authority.issue("b", "b.example").key
    )


def with_pass_phrase(authority: Authority) -> CertificateFiles:
    files = authority.issue("us", "sip.example.com")
    key = load_pem_private_key(Path(files.key).read_bytes(), None)
    secret = BestAvailableEncryption(b"secret")
    Path(files.key).write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret))
    return files


def missing(authority: Authority) -> CertificateFiles:
    return CertificateFiles("absent.pem", "absent.key")


def no_pem(authority: Authority) -> CertificateFiles:
    files = authority.issue("us", "sip.example.com")
    Path(files.certificate).write_bytes(b"\x30\x82\x01\x0a")
    return files


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (mismatched, "key values mismatch"),
        (with_pass_phrase, "the key has a pass phrase"),
        (missing, "No such file or directory"),
        (no_pem, "no PEM file"),
    ],
)
def test_a_pair_that_cannot_be_used_is_refused(authority: Authority, make, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CertificateProblem, match=words):
        read_own_certificate(make(authority), Tls(), authority.directory)


def test_a_client_ca_that_is_none_refuses_the_pair(authority: Authority) -> None:
    tls = Tls(client_certificates=ClientCertificates.REQUIRED, client_ca="absent.pem")
    with pytest.raises(CertificateProblem, match=r"absent\.pem"):
        read_own_certificate(authority.issue("us", "sip.example.com"), tls, authority.directory)


def test_what_cannot_be_read_leaves_what_was_there(authority: Authority) -> None:
    files = authority.issue("us", "sip.example.com")
    tls = authority.tls(files)
    before = load_identity(tls, authority.directory, TlsIdentity())
    Path(files.key).write_text("nonsense")
    authority.file.write_text("nonsense")
    after = load_identity(tls, authority.directory, before)
    assert after.certificates == before.certificates
    assert after.dialling is before.dialling
    assert set(after.refused) == {files.certificate, tls.peer_ca}
    assert load_identity(tls, authority.directory, TlsIdentity()).server_context() is None


def test_check_tells_what_is_wrong_and_what_ends_soon(tmp_path: Path) -> None:
    folder = ConfFolder(tmp_path)
    authority = Authority(folder.path)
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=3)
    issued = authority.ca.issue_cert("sip.example.com", not_after=soon)
    issued.private_key_and_cert_chain_pem.write_to_path(str(folder.path / "soon.pem"))
    folder.write(
        "offhook.toml",
        '[listen]\ntls = ["0.0.0.0:5061"]\n'
        '[tls]\ncertificates = [["soon.pem", "soon.pem"], ["absent.pem", "absent.key"]]\npeer_ca = "no.pem"\n',
    )
    problems, warnings = tls_findings(folder.load().tls, folder.path)
    assert [str(problem).replace(str(folder.path), "conf") for problem in problems] == [
        "offhook.toml:4: tls.certificates: found conf/absent.pem: No such file or directory, "
        "expected a PEM file that can be used",
        "offhook.toml:5: tls.peer_ca: found conf/no.pem: No such file or directory, "
        "expected a PEM file that can be used",
    ]
    (warning,) = warnings
    assert str(warning).startswith("offhook.toml:4: tls.certificates: found soon.pem, which ends ")


def test_an_expired_certificate_is_still_shown(authority: Authority) -> None:
    over = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=3)
    issued = trustme.CA().issue_cert("sip.example.com", not_after=over)
    path = authority.directory / "over.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(str(path))
    files = CertificateFiles(str(path), str(path))
    assert read_own_certificate(files, Tls(), authority.directory).names == ("sip.example.com",)
