"""Which trunk a source address belongs to."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from switch.calls.trunk_sources import IPV6_BITS, Source, TrunkSources, ipv4_bits, ipv6_bits, masked
from switch.conf_values import read_source


def source(network: str, port: int | None = None) -> Source:
    parsed = ipaddress.ip_network(network)
    return Source(int(parsed.network_address), parsed.prefixlen, port, parsed.version == 6)


SOURCES = TrunkSources(
    [
        (source("203.0.113.7/32", 5060), "carrier_a"),
        (source("203.0.113.7/32", 5070), "carrier_b"),
        (source("198.51.100.0/24"), "wide"),
        (source("198.51.100.64/28"), "narrow"),
        (source("198.51.100.65/32"), "single"),
        (source("198.51.100.65/32", 5061), "port"),
        (source("2001:db8::7/128", 5060), "carrier_6"),
        (source("2001:db8:7::/48"), "wide_6"),
        (source("2001:db8:7:1::/64"), "narrow_6"),
        (source("::/32"), "low_6"),
    ]
)


def test_address_with_a_port_belongs_to_the_trunk_of_that_port_only() -> None:
    assert SOURCES.find("203.0.113.7", 5060) == "carrier_a"
    assert SOURCES.find("203.0.113.7", 5070) == "carrier_b"
    assert SOURCES.find("203.0.113.7", 5080) is None


def test_narrowest_source_wins() -> None:
    assert SOURCES.find("198.51.100.1", 40000) == "wide"
    assert SOURCES.find("198.51.100.64", 40000) == "narrow"
    assert SOURCES.find("198.51.100.65", 40000) == "single"
    assert SOURCES.find("198.51.100.65", 5061) == "port"


def test_ipv6_sources_follow_the_same_rules() -> None:
    assert SOURCES.find("2001:db8::7", 5060) == "carrier_6"
    assert SOURCES.find("2001:db8::7", 5061) is None
    assert SOURCES.find("2001:db8:7:2::1", 40000) == "wide_6"
    assert SOURCES.find("2001:db8:7:1::1", 40000) == "narrow_6"
    assert SOURCES.find("2001:0DB8:7:1:0::1", 40000) == "narrow_6"


def test_an_ipv4_address_never_meets_an_ipv6_network() -> None:
    assert SOURCES.find("0.0.0.1", 5060) is None
    assert SOURCES.find("::1", 5060) == "low_6"


def test_everybody_else_is_no_trunk() -> None:
    assert SOURCES.find("192.0.2.1", 5060) is None
    assert TrunkSources([]).find("203.0.113.7", 5060) is None


def test_what_is_no_address_is_no_trunk() -> None:
    for host in (
        "",
        "carrier.example",
        "2001:db8::1",
        "2001:db8:7::1%eth0",
        "[2001:db8:7::1]",
        "203.0.113",
        "203.0.113.7.1",
        "203.0.113.256",
        "0203.0.113.7",
    ):
        assert SOURCES.find(host, 5060) is None


@given(st.text(alphabet="0123456789.x ", max_size=20))
def test_addresses_are_read_as_the_standard_library_reads_them(text: str) -> None:
    try:
        expected: int | None = int(ipaddress.IPv4Address(text))
    except ValueError:
        expected = None
    assert ipv4_bits(text) == expected


@given(st.ip_addresses(v=6), st.integers(32, 128), st.none() | st.integers(1, 65535))
def test_an_ipv6_source_is_written_as_it_is_read(
    address: ipaddress.IPv6Address, prefix_bits: int, port: int | None
) -> None:
    prefix_bits = IPV6_BITS if port is not None else prefix_bits
    network = masked(int(address), prefix_bits, IPV6_BITS)
    made = Source(network, prefix_bits, port, True)
    assert ipv6_bits(str(address)) == int(address)
    first = ipaddress.IPv6Address(network)
    if first.ipv4_mapped is None and not first.is_link_local:
        assert read_source(str(made)) == made


@given(st.ip_addresses(v=4), st.integers(8, 32))
def test_source_is_written_as_it_is_read(address: ipaddress.IPv4Address, prefix_bits: int) -> None:
    network = masked(int(address), prefix_bits)
    text = str(Source(network, prefix_bits, None))
    assert ipaddress.IPv4Network(text) == ipaddress.IPv4Network((int(address), prefix_bits), strict=False)
    assert ipv4_bits(str(address)) == int(address)
