"""Whose certificate it is (RFC 5922 7)."""

import pytest

from switch.edge.peer_identity import is_certified_for, served_names, sip_identities

DNS = {"subjectAltName": (("DNS", "SIP.Example.com"), ("DNS", "*.example.com"), ("IP Address", "192.0.2.1"))}
URIS = {
    "subjectAltName": (
        ("DNS", "host17.example.com"),
        ("URI", "sip:example.com"),
        ("URI", "sip:alice@example.net"),
        ("URI", "https://example.org/"),
        ("URI", "no uri at all"),
    )
}
COMMON_NAME_ONLY = {"subject": ((("commonName", "example.com"),),)}
IPV6 = {"subjectAltName": (("IP Address", "2001:DB8:0:0:0:0:0:7"),)}


@pytest.mark.parametrize(
    ("certificate", "name", "host", "is_good"),
    [
        (DNS, "sip.example.com", "192.0.2.9", True),
        (DNS, "sip.example.com.", "192.0.2.9", True),
        (DNS, "west.example.com", "192.0.2.1", False),
        (DNS, "*.example.com", "192.0.2.1", False),
        (DNS, "", "192.0.2.1", True),
        (DNS, "192.0.2.1", "192.0.2.9", True),
        (DNS, "", "192.0.2.9", False),
        (URIS, "example.com", "192.0.2.1", True),
        (URIS, "host17.example.com", "192.0.2.1", False),
        (URIS, "example.net", "192.0.2.1", False),
        (URIS, "example.org", "192.0.2.1", False),
        (COMMON_NAME_ONLY, "example.com", "192.0.2.1", False),
        (IPV6, "", "2001:db8::7", True),
        (IPV6, "", "2001:db8::8", False),
        ({}, "", "192.0.2.1", False),
        ({}, "example.com", "192.0.2.1", False),
    ],
)
def test_a_certificate_is_good_for_its_names_only(
    certificate: dict[str, object], name: str, host: str, is_good: bool
) -> None:
    assert is_certified_for(certificate, name, host) is is_good


def test_dns_names_count_only_without_a_sip_uri() -> None:
    assert sip_identities(DNS) == ("sip.example.com",)
    assert sip_identities(URIS) == ("example.com",)
    assert served_names(DNS) == ("sip.example.com", "*.example.com")
