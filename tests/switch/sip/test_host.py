"""One spelling for every address, and brackets only where they are written."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip.host import bare_host, canonical_ip, host_port, is_link_local, is_same_family, uri_host


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("::", "::"),
        ("::ffff:192.0.2.1", None),
        ("::ffff:c000:201", None),
        ("fe80::1%eth0", None),
        ("[2001:db8::1]", None),
        ("192.0.2.01", None),
        ("192.0.2", None),
        ("sip.example.com", None),
        ("", None),
        ("2001:db8::\u0661", None),
    ],
)
def test_an_address_has_one_spelling_or_is_none(text: str, canonical: str | None) -> None:
    assert canonical_ip(text) == canonical


@given(st.ip_addresses(v=6))
def test_every_spelling_comes_to_the_same(address: ipaddress.IPv6Address) -> None:
    canonical = None if address.ipv4_mapped else address.compressed
    for text in (address.compressed, address.exploded, address.exploded.upper()):
        assert canonical_ip(text) == canonical
        assert bare_host(f"[{text}]") == address.compressed


def test_brackets_stand_where_a_port_may_follow() -> None:
    assert (uri_host("2001:db8::1"), uri_host("192.0.2.1")) == ("[2001:db8::1]", "192.0.2.1")
    assert host_port("2001:db8::1", 5060) == "[2001:db8::1]:5060"
    assert host_port("192.0.2.1", 5060) == "192.0.2.1:5060"
    assert bare_host("SIP.Example.COM") == "sip.example.com"


def test_an_address_of_one_link_is_known_with_and_without_its_scope() -> None:
    assert all(map(is_link_local, ("fe80::1", "fe80::1%eth0", "febf::1")))
    assert not any(map(is_link_local, ("fec0::1", "2001:db8::1", "192.0.2.1", "feed::1")))


def test_families() -> None:
    assert is_same_family("2001:db8::1", "::1")
    assert is_same_family("192.0.2.1", "127.0.0.1")
    assert not is_same_family("192.0.2.1", "::1")
