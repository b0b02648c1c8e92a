"""To which transaction a message belongs: the keys of the tables (RFC 3261 17.1.3, 17.2.3, 9.2, 8.2.2.2).

A branch with the magic cookie identifies the transaction together with sent-by and the method. Without the
cookie the peer speaks RFC 2543, and the request itself is the key. A key is a plain tuple, because it is
built for every message.
"""

from switch.sip.message import Request, Response
from switch.sip.tokens import MAGIC_COOKIE

ServerKey = tuple[str | int | None, ...]  # branch, sent-by, method; for RFC 2543 also what makes the request
ClientKey = tuple[str, str]  # branch, method of CSeq
MergeKey = tuple[str | None, str, int, str]  # From tag, Call-ID, CSeq
AckKey = tuple[str, str | None, str | None, int]  # Call-ID, To tag, From tag, CSeq number


def server_key(request: Request, method: str) -> ServerKey:
    """The key of a request's server transaction.

    `method` is the request's own, but INVITE for an ACK (17.2.3) and for the INVITE that a CANCEL is about
    (9.2).
    """
    via = request.top_via
    branch = via.branch
    if branch is not None and branch.startswith(MAGIC_COOKIE) and len(branch) > len(MAGIC_COOKIE):
        return (branch, via.sent_by, method)
    # RFC 2543. The To tag is left out, because an ACK has one where its INVITE has none; `stack.py` compares
    # it.
    return (
        branch,
        via.sent_by,
        method,
        request.uri,
        request.from_tag,
        request.call_id,
        request.cseq.number,
    )


def is_legacy_key(key: ServerKey) -> bool:
    """Whether the peer's branch has no magic cookie (RFC 2543)."""
    return len(key) > 3


def client_key(response: Response) -> ClientKey:
    """17.1.3: the branch is ours and random; the method keeps a CANCEL, which shares it, apart."""
    return (response.top_via.branch or "", response.cseq.method)


def merge_key(request: Request) -> MergeKey:
    """8.2.2.2: the same request over two paths differs in nothing but its branch."""
    cseq = request.cseq
    return (request.from_tag, request.call_id, cseq.number, cseq.method)


def ack_key(message: Request, to_tag: str | None) -> AckKey:
    """What the ACK of a 2xx shares with the INVITE and the To tag we gave it: dialog and CSeq number
    (13.2.2.4).
    """
    return (message.call_id, to_tag, message.from_tag, message.cseq.number)
