"""Lines with one password, an authority that knows them, and a phone's answers to its challenges."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from switch.sip.digest import (
    OFFER_BOTH,
    OFFER_MD5,
    OFFER_SHA_256,
    DigestAuthority,
    Ha1s,
    Outcome,
    Verdict,
    answer_challenge,
)
from switch.sip.digest_values import ha1
from switch.sip.headers import Headers
from switch.sip.message import Request

CORPORA = Path(__file__).resolve().parents[4] / "shared" / "corpora"
VECTORS = CORPORA / "digest" / "vectors.json"
REALM = "exchange.example.org"
PASSWORD = "zanzibar"
SECRET = b"a secret of at least 16 bytes"
URI = "sip:bob@exchange.example.org"

needs_corpora = pytest.mark.skipif(not VECTORS.exists(), reason=f"the shared corpora are not at {CORPORA}")


def vectors() -> list[Any]:
    if not VECTORS.exists():
        return []
    return [pytest.param(vector, id=vector["id"]) for vector in json.loads(VECTORS.read_text())["vectors"]]


def ha1s_of(user: str, algorithms: tuple[str, ...] = OFFER_MD5) -> Ha1s:
    return Ha1s(ha1(user, REALM, PASSWORD, "MD5"), ha1(user, REALM, PASSWORD, "SHA-256"), algorithms)


NOBODY = Ha1s("", "")
LINES = {
    "alice": ha1s_of("alice"),
    "both": ha1s_of("both", OFFER_BOTH),
    "strict": ha1s_of("strict", OFFER_SHA_256),
}


def look_up(user: str) -> Ha1s:
    return LINES.get(user, NOBODY)


class Exchange:
    """An authority with its lines, and a phone's answer to its challenge."""

    def __init__(self, nonce_lifetime_s: float = 300.0) -> None:
        self.authority = DigestAuthority(REALM, SECRET, nonce_lifetime_s=nonce_lifetime_s, domains=[REALM])

    def challenge(self, user: str = "alice", now: float = 0.0) -> list[str]:
        return self.authority.challenges(now, LINES[user].algorithms if user in LINES else OFFER_MD5)

    def answer(self, challenges: list[str], **changes: Any) -> str:
        facts: dict[str, Any] = {
            "method": "INVITE",
            "uri": URI,
            "username": "alice",
            "password": PASSWORD,
            "cnonce": "0a4f113b",
        }
        answer = answer_challenge(challenges, **(facts | changes))
        assert answer is not None
        return answer

    def verify(self, *answers: str, method: str = "INVITE", uri: str = URI, now: float = 0.0) -> Verdict:
        request = Request(method, uri, Headers())
        return self.authority.verify(request, list(answers), now, look_up)

    def outcome(self, *answers: str, **facts: Any) -> Outcome:
        return self.verify(*answers, **facts).outcome


def parameter(value: str, name: str, new: str) -> str:
    """The credentials with one parameter's value replaced, quotes kept."""
    changed, count = re.subn(rf'\b{name}=("?)[^",]*("?)', rf"{name}=\g<1>{new}\g<2>", value)
    assert count == 1, (name, value)
    return changed


def without(value: str, name: str) -> str:
    changed, count = re.subn(rf'\b{name}="?[^",]*"?(?:, *|$)', "", value)
    assert count == 1, (name, value)
    return changed
