"""A line that the media server has called, behind a stand-in for the switch."""

import re

from tests.wire.voicemail.caller import HOST, Caller, SwitchSocket, header, response_to


class Callee(Caller):
    """Answers one INVITE; from then on it is one end of a call like a caller."""

    def __init__(self, switch: SwitchSocket, invite: str) -> None:
        super().__init__(switch, "voicemail@")
        self.invite_text = invite
        self.call_id = header(invite, "Call-ID")
        self._to = header(invite, "From")
        self._from = f"{header(invite, 'To')};tag=callee"
        media = re.search(r"m=audio (\d+)", invite)
        assert media is not None
        self._peer = (HOST, int(media[1]))

    def answer(self, status: str = "200 OK") -> None:
        body = ""
        if status.startswith("2"):
            body = "\r\n".join(
                [
                    "v=0", f"o=- 2 2 IN IP4 {HOST}", "s=-", f"c=IN IP4 {HOST}", "t=0 0",
                    f"m=audio {self.rtp.getsockname()[1]} RTP/AVP 8 101", "a=rtpmap:8 PCMA/8000",
                    "a=rtpmap:101 telephone-event/8000", "",
                ]
            )  # fmt: skip
            self.listen()
        text = response_to(self.invite_text, status)
        text = text.replace(f"To: {header(text, 'To')}", f"To: {self._from}")
        extra = f"Contact: <sip:line@{self.switch.address}>\r\nContent-Type: application/sdp\r\n"
        text = text.replace("Content-Length: 0\r\n", f"{extra}Content-Length: {len(body)}\r\n")
        self.switch.send(text + body)
