"""Answering a carrier's 401 or 407 with the trunk's credentials (RFC 3261 22.3).

Only a configured trunk's challenge is answered, and only in its realm where one is set: a phone that challenges us
learns nothing (CVE-2021-41158). A rejected answer is not given again unless only its nonce was stale (RFC 3261 22.1),
and a carrier to which every nonce is stale gets two answers to a request (CVE-2020-28242).
"""

from typing import Final

from switch.calls.passing import CHALLENGES
from switch.config import Trunk
from switch.sip.digest import answer_challenge, parse_challenge
from switch.sip.message import Request, Response
from switch.sip.tokens import Tokens

ANSWERS_MAX: Final = 2
CREDENTIALS_MISSING: Final = "credentials were asked for that we do not have"


class CarrierChallenge:
    """The credentials for one leg, and how often a request of it has asked for them. `trunk` is None for a phone's."""

    __slots__ = ("_answers", "_tokens", "_trunk")

    def __init__(self, trunk: Trunk | None, tokens: Tokens) -> None:
        self._trunk = trunk
        self._tokens = tokens
        self._answers = 0

    def answer(self, request: Request, response: Response) -> tuple[str, str] | None:
        """The header field to send the request again with, or None where the challenge is not to be answered."""
        trunk = self._trunk
        if response.status not in CHALLENGES or trunk is None or not trunk.password:
            return None
        is_proxy = response.status == 407
        name = "proxy-authorization" if is_proxy else "authorization"
        challenges = response.headers.get_all("proxy-authenticate" if is_proxy else "www-authenticate")
        sent = request.headers
        if "authorization" not in sent and "proxy-authorization" not in sent:
            self._answers = 0  # a request of its own, like the BYE of a call whose INVITE was challenged
        elif name in sent and not _is_stale(challenges):
            return None
        if self._answers >= ANSWERS_MAX:
            return None
        self._answers += 1
        credentials = answer_challenge(
            challenges,
            method=request.method,
            uri=request.uri,
            username=trunk.username,
            password=trunk.password,
            cnonce=self._tokens.tag(),
            realm=trunk.realm or None,
        )
        return None if credentials is None else (name, credentials)


def _is_stale(challenges: list[str]) -> bool:
    parsed = [parse_challenge(value) for value in challenges]
    return any(challenge is not None and challenge.is_stale for challenge in parsed)
