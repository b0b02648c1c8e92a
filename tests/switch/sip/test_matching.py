"""The keys of transactions: what belongs together has one key, what does not has two."""

import pytest

from switch.sip.matching import ack_key, client_key, is_legacy_key, merge_key, server_key
from switch.sip.message import Request, make_response
from tests.agents import make_request
from tests.tables import cases


def request_with(
    method: str = "INVITE", via: str = "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx", **changed: str
) -> Request:
    request = make_request(method, changed.pop("uri", "sip:b@example.com"), tag="a", call_id="c")
    request.headers.prepend("via", via)
    for name, value in changed.items():
        request.headers.set(name.replace("_", "-"), value)
    return request


@pytest.mark.parametrize(
    ("via", "relation"),
    cases(
        """
        # second_via                                        -> relation
        SIP/2.0/UDP_192.0.2.1;branch=z9hG4bKx                -> same
        SIP/2.0/UDP_192.0.2.1;rport=7;branch=z9hG4bKx        -> same
        SIP/2.0/TCP_192.0.2.1;branch=z9hG4bKx                -> same
        SIP/2.0/UDP_192.0.2.1;branch=z9hG4bKX                -> other
        SIP/2.0/UDP_192.0.2.1;branch=z9hG4bKy                -> other
        SIP/2.0/UDP_192.0.2.2;branch=z9hG4bKx                -> other
        SIP/2.0/UDP_192.0.2.1:5062;branch=z9hG4bKx           -> other
        SIP/2.0/UDP_192.0.2.1;branch=x                       -> other
        SIP/2.0/UDP_192.0.2.1                                -> other
        """
    ),
)
def test_branch_and_sent_by_make_the_server_transaction(via: str, relation: str) -> None:
    first = server_key(request_with(), "INVITE")
    second = server_key(request_with(via=via.replace("_", " ")), "INVITE")
    assert (first == second) == (relation == "same")


def test_sent_by_is_compared_blind_to_case() -> None:
    upper = request_with(via="SIP/2.0/UDP PHONE.example.com;branch=z9hG4bKx")
    lower = request_with(via="SIP/2.0/UDP phone.EXAMPLE.com;branch=z9hG4bKx")
    assert server_key(upper, "INVITE") == server_key(lower, "INVITE")


def test_the_method_keeps_transactions_of_one_branch_apart() -> None:
    request = request_with()
    assert server_key(request, "INVITE") != server_key(request, "CANCEL")


def test_an_ack_and_a_cancel_have_the_key_of_their_invite() -> None:
    invite = server_key(request_with(), "INVITE")
    assert server_key(request_with("ACK"), "INVITE") == invite
    assert server_key(request_with("CANCEL"), "INVITE") == invite


@pytest.mark.parametrize(
    ("changed", "relation"),
    [
        ({}, "same"),
        ({"to": "<sip:b@example.com>;tag=theirs"}, "same"),  # an ACK has one; compared apart
        ({"uri": "sip:other@example.com"}, "other"),
        ({"call-id": "other"}, "other"),
        ({"cseq": "2 INVITE"}, "other"),
        ({"from": "<sip:caller@example.com>;tag=other"}, "other"),
        ({"via": "SIP/2.0/UDP 192.0.2.2"}, "other"),
        ({"via": "SIP/2.0/UDP 192.0.2.1;branch=1"}, "other"),
    ],
)
def test_an_rfc_2543_peer_is_known_by_its_request(changed: dict[str, str], relation: str) -> None:
    old = "SIP/2.0/UDP 192.0.2.1"
    first = server_key(request_with(via=old), "INVITE")
    assert is_legacy_key(first)
    second = server_key(request_with(**({"via": old} | changed)), "INVITE")
    assert (first == second) == (relation == "same")


def test_a_bare_cookie_is_no_branch() -> None:
    assert is_legacy_key(server_key(request_with(via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK"), "INVITE"))
    assert not is_legacy_key(server_key(request_with(), "INVITE"))


def test_a_response_finds_its_client_transaction_by_branch_and_method() -> None:
    assert client_key(make_response(request_with(), 200)) == ("z9hG4bKx", "INVITE")
    assert client_key(make_response(request_with("CANCEL"), 200)) == ("z9hG4bKx", "CANCEL")


def test_a_merged_request_differs_only_in_its_branch() -> None:
    first = merge_key(request_with())
    assert merge_key(request_with(via="SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKother")) == first
    assert merge_key(request_with(cseq="2 INVITE")) != first
    assert merge_key(request_with(call_id="other")) != first
    assert merge_key(request_with("OPTIONS")) != first


def test_the_ack_of_a_2xx_shares_dialog_and_number_with_its_invite() -> None:
    invite = request_with()
    ack = request_with(
        "ACK", via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKown", to="<sip:b@example.com>;tag=ours"
    )
    assert ack_key(ack, ack.to_tag) == ack_key(invite, "ours")
    assert ack_key(ack, ack.to_tag) != ack_key(invite, "another")
