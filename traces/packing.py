"""A call's trace as a few kilobytes of disk: MessagePack, then zlib with a dictionary of the words SIP repeats.

The dictionary is what makes a short call small: its first message would otherwise pay for every "Content-Length:".
Its number is stored with each trace, and no dictionary is ever changed: a better one gets the next number.
"""

import zlib
from typing import Final

import msgspec

from traces.call_trace import CallTrace

DICTIONARY: Final = 1
# The words of RFC 3261 and 8866 and of telephones in general, the commonest last, as zlib likes it best.
_WORDS: Final = {
    DICTIONARY: (
        b"WWW-Authenticate: Proxy-Authenticate: Digest realm=\"\", nonce=\"\", algorithm=SHA-256, qop=\"auth\", "
        b"opaque=\"\", uri=\"sip:\", response=\"\", cnonce=\"\", nc=00000001\r\nProxy-Authorization: Digest username=\""
        b"SIP/2.0 487 Request Terminated\r\nSIP/2.0 486 Busy Here\r\nSIP/2.0 480 Temporarily Unavailable\r\n"
        b"SIP/2.0 503 Service Unavailable\r\nSIP/2.0 404 Not Found\r\nSIP/2.0 403 Forbidden\r\n"
        b"SIP/2.0 407 Proxy Authentication Required\r\nReason: Q.850;cause=16;text=\"\"\r\nRetry-After: "
        b"Refer-To: <sip:\r\nReferred-By: <sip:\r\nReplaces: ;to-tag=;from-tag=\r\nEvent: refer\r\n"
        b"Subscription-State: active;expires=\r\nContent-Type: message/sipfrag\r\nDiversion: <sip:;reason=\r\n"
        b"History-Info: <sip:;index=1\r\nPrivacy: id\r\nP-Preferred-Identity: <sip:\r\nP-Asserted-Identity: <sip:+44"
        b"Session-Expires: 1800;refresher=uac\r\nMin-SE: 90\r\nRSeq: 1\r\nRAck: 1 1 INVITE\r\nRequire: 100rel\r\n"
        b"a=setup:actpass\r\na=fingerprint:sha-256 \r\na=ice-ufrag:\r\na=ice-pwd:\r\na=candidate:1 1 UDP 2130706431 "
        b" typ host\r\na=rtcp-mux\r\na=mid:0\r\na=group:BUNDLE 0\r\na=ssrc: cname:\r\na=crypto:1 AES_CM_128_HMAC_SHA1_"
        b"80 inline:\r\nm=audio  RTP/SAVP 0 8 101\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n"
        b"a=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\na=rtpmap:9 G722/8000\r\na=sendonly\r\na=recvonly\r\n"
        b"a=inactive\r\n"
        b"a=rtcp: IN IP4 \r\na=ptime:20\r\na=maxptime:150\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
        b"a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=sendrecv\r\nm=audio  RTP/AVP 8 0 101\r\nc=IN IP4 "
        b"v=0\r\no=-  IN IP4 \r\ns=-\r\nt=0 0\r\nContent-Type: application/sdp\r\n"
        b"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, REFER, NOTIFY, INFO, MESSAGE, SUBSCRIBE\r\n"
        b"Supported: replaces, timer, 100rel, norefersub, gruu, outbound, path\r\nUser-Agent: Server: Accept: "
        b"application/sdp\r\nRoute: <sip:;lr>\r\nRecord-Route: <sip:;lr>\r\nMax-Forwards: 70\r\n"
        b"SIP/2.0 183 Session Progress\r\nSIP/2.0 180 Ringing\r\nSIP/2.0 100 Trying\r\nSIP/2.0 200 OK\r\n"
        b"Contact: <sip:@127.0.0.1:5060;transport=udp>\r\nACK sip:\r\nBYE sip:\r\nCANCEL sip:\r\nINVITE sip:+44"
        b" SIP/2.0\r\nVia: SIP/2.0/TCP Via: SIP/2.0/TLS Via: SIP/2.0/UDP ;received=;rport=;rport;branch=z9hG4bK"
        b"\r\nFrom: \"\" <sip:@>;tag=\r\nTo: <sip:>;tag=\r\nCall-ID: \r\nCSeq: 1 ACK\r\nCSeq: 2 BYE\r\nCSeq: 1 INVITE"
        b"\r\nContent-Length: 0\r\n\r\n"
    ),
}  # fmt: skip
# A turn of deflate's window is 32 KiB: with more the first words would be out of reach before the first message.
assert len(_WORDS[DICTIONARY]) < 32_768
_LEVEL: Final = 6
# What one trace can be at most once unpacked: the ring's limit for a call (switch/tracing) with room to spare. A file
# that says more is damaged, or not ours.
UNPACKED_OCTETS_MAX: Final = 64 * 1024 * 1024

_decoder: Final = msgspec.msgpack.Decoder(CallTrace)


class DamagedTrace(Exception):  # noqa: N818 - a fact about a file, said as a sentence
    """Octets that are no trace of ours."""


def pack_trace(trace: CallTrace) -> bytes:
    packer = zlib.compressobj(_LEVEL, zdict=_WORDS[DICTIONARY])
    return packer.compress(msgspec.msgpack.encode(trace)) + packer.flush()


def unpack_trace(packed: bytes, dictionary: int) -> CallTrace:
    """Raises DamagedTrace."""
    words = _WORDS.get(dictionary)
    if words is None:
        raise DamagedTrace(f"packed with dictionary {dictionary}, which only a newer release has")
    unpacker = zlib.decompressobj(zdict=words)
    try:
        unpacked = unpacker.decompress(packed, UNPACKED_OCTETS_MAX)
        if not unpacker.eof:
            raise DamagedTrace(f"it breaks off, or is more than {UNPACKED_OCTETS_MAX} octets")
        return _decoder.decode(unpacked)
    except (zlib.error, msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise DamagedTrace(str(problem)) from None
