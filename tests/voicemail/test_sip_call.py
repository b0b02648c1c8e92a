"""Keys that come by INFO, as phones write them."""

import pytest

from switch.sip.headers import Headers
from switch.sip.message import Request
from voicemail.sip_call import info_digit

# content type                    body                            -> key
ROWS = (
    ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", "5"),
    ("application/dtmf-relay", b"Signal= #\r\n", "#"),
    ("APPLICATION/DTMF-RELAY; x=y", b"Duration=160\nsignal=d", "D"),
    ("application/dtmf-relay", b"Signal=55\r\n", ""),
    ("application/dtmf-relay", b"xSignal=5\r\n", ""),
    ("application/dtmf-relay", b"", ""),
    ("application/dtmf", b"7", "7"),
    ("application/dtmf", b"*\r\n", "*"),
    ("application/dtmf", b"12", ""),
    ("application/dtmf", "٣".encode(), ""),
    ("application/dtmf", b"", ""),
    ("text/plain", b"7", ""),
)


@pytest.mark.parametrize(("content_type", "body", "key"), ROWS)
def test_a_key_by_info(content_type: str, body: bytes, key: str) -> None:
    request = Request("INFO", "sip:a@x", Headers([("Content-Type", content_type)]), body)
    assert info_digit(request) == key
