"""What the top Via is told about the source, and where responses go."""

import pytest

from switch.sip.flow import TCP, UDP, Flow
from switch.sip.response_route import response_flow, stamp_source
from tests.agents import make_request
from tests.tables import cases

LOCAL = ("192.0.2.9", 5060)


def via_of(value: str, flow: Flow) -> tuple[str, Flow]:
    """The top Via after it was stamped, and the flow of the response."""
    request = make_request("OPTIONS", "sip:b@example.com", tag="a", call_id="c")
    request.headers.prepend("via", value.replace("_", " "))
    stamp_source(request, flow)
    stamped = request.headers.first_value("via") or ""
    return stamped.replace(" ", "_"), response_flow(request.top_via, flow)


@pytest.mark.parametrize(
    ("via", "source", "stamped", "destination"),
    cases(
        """
        # via                                     source            -> stamped                                                             destination
        SIP/2.0/UDP_192.0.2.1;branch=x            192.0.2.1:5060    -> SIP/2.0/UDP_192.0.2.1;branch=x                                      192.0.2.1:5060
        SIP/2.0/UDP_192.0.2.1;branch=x            192.0.2.1:40000   -> SIP/2.0/UDP_192.0.2.1;branch=x                                      192.0.2.1:5060
        SIP/2.0/UDP_192.0.2.1:5070;branch=x       192.0.2.1:40000   -> SIP/2.0/UDP_192.0.2.1:5070;branch=x                                 192.0.2.1:5070
        SIP/2.0/UDP_10.0.0.1:5070;branch=x        192.0.2.1:40000   -> SIP/2.0/UDP_10.0.0.1:5070;branch=x;received=192.0.2.1               192.0.2.1:5070
        SIP/2.0/UDP_10.0.0.1;rport;branch=x       192.0.2.1:40000   -> SIP/2.0/UDP_10.0.0.1;rport=40000;branch=x;received=192.0.2.1        192.0.2.1:40000
        SIP/2.0/UDP_192.0.2.1;rport;branch=x      192.0.2.1:5060    -> SIP/2.0/UDP_192.0.2.1;rport=5060;branch=x;received=192.0.2.1        192.0.2.1:5060
        # a name in sent-by; a sender that claims to be elsewhere; maddr that points at a third party
        SIP/2.0/UDP_phone.example.com;branch=x    192.0.2.1:5060    -> SIP/2.0/UDP_phone.example.com;branch=x;received=192.0.2.1           192.0.2.1:5060
        SIP/2.0/UDP_192.0.2.1;received=192.0.2.7  192.0.2.1:5060    -> SIP/2.0/UDP_192.0.2.1                                               192.0.2.1:5060
        SIP/2.0/UDP_10.0.0.1;received=192.0.2.7   192.0.2.1:5060    -> SIP/2.0/UDP_10.0.0.1;received=192.0.2.1                             192.0.2.1:5060
        SIP/2.0/UDP_10.0.0.1;rport=9;received=8   192.0.2.1:40000   -> SIP/2.0/UDP_10.0.0.1;rport=40000;received=192.0.2.1                 192.0.2.1:40000
        SIP/2.0/UDP_192.0.2.1;maddr=192.0.2.7     192.0.2.1:5060    -> SIP/2.0/UDP_192.0.2.1;maddr=192.0.2.7                               192.0.2.1:5060
        """  # noqa: E501 - a table
    ),
)
def test_over_udp(via: str, source: str, stamped: str, destination: str) -> None:
    host, port = source.split(":")
    flow = Flow(UDP, host, int(port), *LOCAL)
    found, back = via_of(via, flow)
    assert found == stamped
    assert f"{back.remote_host}:{back.remote_port}" == destination
    assert (back.local_host, back.local_port) == LOCAL
    assert back.transport == UDP


def test_over_a_stream_the_response_takes_the_connection_of_the_request() -> None:
    flow = Flow(TCP, "192.0.2.1", 40000, *LOCAL, "c7")
    stamped, back = via_of("SIP/2.0/TCP_10.0.0.1:5060;branch=x", flow)
    assert stamped.endswith(";received=192.0.2.1")
    assert back == flow


def test_only_the_top_via_is_touched() -> None:
    request = make_request("OPTIONS", "sip:b@example.com", tag="a", call_id="c")
    request.headers.prepend("via", "SIP/2.0/UDP 10.0.0.3;branch=z")
    request.headers.prepend("via", "SIP/2.0/UDP 10.0.0.1;rport;branch=x, SIP/2.0/UDP 10.0.0.2;rport;branch=y")
    stamp_source(request, Flow(UDP, "192.0.2.1", 40000, *LOCAL))
    assert request.headers.values("via") == [
        "SIP/2.0/UDP 10.0.0.1;rport=40000;branch=x;received=192.0.2.1",
        "SIP/2.0/UDP 10.0.0.2;rport;branch=y",
        "SIP/2.0/UDP 10.0.0.3;branch=z",
    ]


def test_the_request_knows_what_was_stamped() -> None:
    request = make_request("OPTIONS", "sip:b@example.com", tag="a", call_id="c")
    request.headers.prepend("via", "SIP/2.0/UDP 10.0.0.1;rport;branch=x")
    stamp_source(request, Flow(UDP, "192.0.2.1", 40000, *LOCAL))
    assert request.top_via.received == "192.0.2.1"
    assert request.top_via.rport == "40000"


@pytest.mark.parametrize(
    ("via", "stamped"),
    [
        ("[2001:DB8:0::1]:5070;branch=x", "[2001:DB8:0::1]:5070;branch=x"),
        ("[2001:db8::9];branch=x", "[2001:db8::9];branch=x;received=2001:db8::1"),
        ("[2001:db8::1];rport;branch=x", "[2001:db8::1];rport=40000;branch=x;received=2001:db8::1"),
        ("192.0.2.1;branch=x", "192.0.2.1;branch=x;received=2001:db8::1"),
    ],
)
def test_an_ipv6_source_is_compared_as_an_address_and_received_without_brackets(via: str, stamped: str) -> None:
    found, _ = via_of(f"SIP/2.0/UDP_{via}", Flow(UDP, "2001:db8::1", 40000, *LOCAL))
    assert found == f"SIP/2.0/UDP_{stamped}"
