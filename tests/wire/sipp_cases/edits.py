"""Changes to the copy of a scenario that is played. One that finds nothing to change is a mistake in the table."""

import re

import msgspec


class EditError(ValueError):
    """The text that an edit is about is not in the file."""


class Edit(msgspec.Struct, frozen=True):
    """A regular expression over the whole file, "." being any octet: each place becomes `new`, or the chosen one."""

    pattern: str
    new: str
    place: int | None = None

    def applied(self, text: str) -> str:
        found = list(re.finditer(self.pattern, text, re.DOTALL))
        if not found:
            raise EditError(f"{self.pattern!r} is not in the scenario")
        chosen = found if self.place is None else [found[self.place]]
        for match in reversed(chosen):
            text = text[: match.start()] + self.new + text[match.end() :]
        return text


def each(old: str, new: str) -> Edit:
    """`old` is text, not a pattern, as everywhere below. Spaces after a line end do not matter."""
    return Edit(_exactly(old), new)


def first(old: str, new: str) -> Edit:
    return Edit(_exactly(old), new, place=0)


def last(old: str, new: str) -> Edit:
    return Edit(_exactly(old), new, place=-1)


def only_before(old: str) -> Edit:
    """The scenario ends where `old` begins."""
    return Edit(_exactly(old) + ".*", "</scenario>\n")


def only_from(old: str) -> Edit:
    """The scenario begins where `old` begins."""
    return Edit(rf"(?<=<scenario name=\")([^\"]*)\">.*?(?={_exactly(old)})", 'the second half">\n', place=0)


def pauses(milliseconds: int, instead: int) -> Edit:
    return each(f'<pause milliseconds="{milliseconds}"', f'<pause milliseconds="{instead}"')


def _exactly(text: str) -> str:
    return r"\n[ \t]*".join(re.escape(line.lstrip()) for line in text.split("\n"))


# A recording takes root to play, and there is no relay yet that would count its packets.
WITHOUT_SOUND = Edit(r"<nop\b[^>]*>(?:(?!</nop>).)*?play_pcap_audio.*?</nop>", "")
# SIPp 3.6.1 ends the scenario, as passed, at a tag that has an angle bracket in an attribute.
WITHOUT_BANNERS = Edit(r'<nop display="[<>][^"]*"[^>]*>\s*</nop>', "")


def with_login(text: str, method: str) -> str:
    """The scenario with a challenge before its first request: sent once without credentials, then with them.

    The request that is challenged has the CSeq before the script's own, so that all later ones stay as written.
    """
    found = re.search(rf"<send\b[^>]*>\s*<!\[CDATA\[\s*{method} .*?</send>", text, re.DOTALL)
    if found is None:
        raise EditError(f"no {method} is sent")
    request = found[0]
    bare = re.sub(r"<action>.*?</action>", "", request, flags=re.DOTALL)
    bare = re.sub(r"CSeq: *(\d+)", lambda cseq: f"CSeq: {int(cseq[1]) - 1}", bare)
    status = 401 if method == "REGISTER" else 407
    steps = [bare, f'<recv response="{status}" auth="true"></recv>']
    if method == "INVITE":
        steps.append(_ack_of(bare))
    steps.append(re.sub(r"(\n *CSeq: [^\n]*)", r"\1\n[authentication]", request, count=1))
    return text[: found.start()] + "\n".join(steps) + text[found.end() :]


def _ack_of(invite: str) -> str:
    lines = [line.strip() for line in invite.splitlines()]
    via, from_, call_id, cseq = (
        next(line for line in lines if line.lower().startswith(name))
        for name in ("via:", "from:", "call-id:", "cseq:")
    )
    request_line = next(line for line in lines if line.startswith("INVITE "))
    return "\n".join(
        [
            "<send><![CDATA[",
            "",
            request_line.replace("INVITE", "ACK", 1),
            via.replace("[branch]", "[branch-2]"),
            from_,
            "[last_To:]",
            call_id,
            cseq.replace("INVITE", "ACK"),
            "Max-Forwards: 70",
            "Content-Length: 0",
            "",
            "]]></send>",
        ]
    )
