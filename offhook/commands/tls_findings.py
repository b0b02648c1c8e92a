"""What `offhook check` finds in the files that [tls] names: pairs that cannot be used, and those that end soon."""

import time
from pathlib import Path

from switch.conf_edge import MAIN_FILE, Tls
from switch.conf_files import ConfFile, ConfProblem, open_conf_file
from switch.edge.certificates import OwnCertificate, TlsIdentity, expiry_text, load_identity

# A certificate of 90 days is renewed 30 days before its end; one that is not by now was forgotten.
EXPIRES_SOON_S = 14 * 86_400.0


def tls_findings(tls: Tls, folder: Path) -> tuple[list[ConfProblem], list[ConfProblem]]:
    """Problems and warnings."""
    file = open_conf_file(folder, MAIN_FILE)
    identity = load_identity(tls, folder, TlsIdentity())
    for name, problem in identity.refused.items():
        file.note(_key_of(name, tls), found=problem, expected="a PEM file that can be used")
    for certificate in identity.certificates:
        _warn_of_expiry(file, certificate)
    return file.in_order(), file.warnings


def _key_of(name: str, tls: Tls) -> tuple[str, str]:
    is_pair = any(name == files.certificate for files in tls.certificates)
    return ("tls", "certificates" if is_pair else "peer_ca")


def _warn_of_expiry(file: ConfFile, certificate: OwnCertificate) -> None:
    left_s = certificate.not_after_s - time.time()
    if left_s > EXPIRES_SOON_S:
        return
    when = expiry_text(certificate.not_after_s)
    found = f"{certificate.files.certificate}, which {'ended' if left_s <= 0 else 'ends'} {when}"
    file.warn(
        ("tls", "certificates"), found=found, expected="a certificate that is good for another two weeks"
    )
