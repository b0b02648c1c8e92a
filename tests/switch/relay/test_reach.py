"""Which addresses of a description may be sent to, from where the peer's signalling comes."""

import pytest

from switch.relay.reach import may_hear_at

PUBLIC, OTHER_PUBLIC = "203.0.113.5", "198.51.100.9"


@pytest.mark.parametrize(
    ("host", "signalling", "may"),
    [
        (PUBLIC, PUBLIC, True),
        (OTHER_PUBLIC, PUBLIC, True),  # a gateway with media elsewhere
        ("10.0.0.2", PUBLIC, False),  # at home behind NAT
        ("100.64.1.2", PUBLIC, False),
        ("192.168.1.2", "192.168.1.9", True),  # one network
        ("192.168.1.2", "10.0.0.9", True),
        ("127.0.0.1", PUBLIC, False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.2", "127.0.0.1", False),
        ("224.0.0.1", PUBLIC, False),
        ("255.255.255.255", PUBLIC, False),
        ("0.0.0.0", PUBLIC, False),
        ("169.254.1.1", PUBLIC, False),
        ("", PUBLIC, False),
        ("2001:db8::5", PUBLIC, False),  # another family than the endpoint's
        ("2001:db8::5", "2001:db8::9", True),
        ("fd00::5", "2001:db8::9", False),
        ("fd00::5", "fd00::9", True),
        ("fe80::5", "2001:db8::9", False),
        ("::1", "2001:db8::9", False),
        ("ff02::1", "2001:db8::9", False),
    ],
)
def test_reach(host: str, signalling: str, may: bool) -> None:
    assert may_hear_at(host, signalling) is may
