"""Bodies to test with. Addresses are those of documentation."""

HEAD = "v=0\r\no=- 20001 20001 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
SOUND = (
    "m=audio 49170 RTP/AVP 9 8 0 18 101 96 102\r\n"
    "a=rtpmap:9 G722/8000\r\n"
    "a=fmtp:101 0-16\r\n"
    "a=rtpmap:101 telephone-event/8000\r\n"
    "a=rtpmap:96 opus/48000/2\r\n"
    "a=fmtp:96 useinbandfec=1\r\n"
    "a=rtcp-fb:96 nack\r\n"
    "a=rtpmap:102 telephone-event/48000\r\n"
    "a=fmtp:18 annexb=no\r\n"
    "a=candidate:1 1 UDP 2130706431 192.0.2.10 49170 typ host\r\n"
    "a=ptime:20\r\n"
    "a=sendrecv\r\n"
)
PICTURE = "m=video 51372 RTP/SAVPF 97\r\nc=IN IP6 2001:db8::1\r\na=rtpmap:97 VP8/90000\r\na=recvonly\r\n"
PHONE = (HEAD + SOUND).encode()
BOTH = (HEAD + SOUND + PICTURE).encode()
FAX = (HEAD + "m=image 49172 udptl t38\r\na=T38FaxVersion:0\r\n").encode()


def with_sound(*lines: str, head: str = HEAD) -> bytes:
    """A session whose one medium is PCMA, with lines of its own."""
    return "".join([head, "m=audio 49170 RTP/AVP 8\r\n", *(line + "\r\n" for line in lines)]).encode()
