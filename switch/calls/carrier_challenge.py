"""Answering a carrier's 401 or 407 with the trunk's credentials (RFC 3261 22.3).

Only a configured trunk's challenge is answered, and only in its realm where one is set: a phone that challenges us
learns nothing (CVE-2021-41158). A rejected answer is not given again unless only its nonce was stale (RFC 3261 22.1),
and a carrier to which every nonce is stale gets two answers to a request (CVE-2020-28242).
"""

from typing import Final

from switch.calls.passing import CHALLENGES, Fields
from switch.config import Trunk
from switch.sip.digest import answer_challenge, parse_challenge
from switch.sip.message import Request, Response
from switch.sip.tokens import Tokens

ANSWERS_MAX: Final = 2
CREDENTIALS_MISSING: Final = "credentials were asked for that we do not have"
_FIELDS: Final = {
    401: ("www-authenticate", "authorization"),
    407: ("proxy-authenticate", "proxy-authorization"),
}


class CarrierChallenge:
    """The credentials for one leg, and how often a request of it has asked for them. `trunk` is None for a phone's.

    A proxy of the carrier and its gateway may both ask: then the request goes out with the answers to both.
    """

    __slots__ = ("_answered", "_tokens", "_trunk")

    def __init__(self, trunk: Trunk | None, tokens: Tokens) -> None:
        self._trunk = trunk
        self._tokens = tokens
        # By field, for the request that is being asked for: the challenges, and how often they were answered. Of one
        # request only, so that the BYE of a challenged INVITE starts afresh.
        self._answered: dict[str, _Answered] = {}

    def answer(self, request: Request, response: Response) -> Fields | None:
        """The header fields to send the request again with, or None where the challenge is not to be answered."""
        trunk = self._trunk
        if response.status not in CHALLENGES or trunk is None or not trunk.password:
            return None
        asks, name = _FIELDS[response.status]
        challenges = response.headers.get_all(asks)
        sent = request.headers
        if "authorization" not in sent and "proxy-authorization" not in sent:
            self._answered = {}
        elif name in sent and not _is_stale(challenges):
            return None
        answered = self._answered.setdefault(name, _Answered())
        if answered.count >= ANSWERS_MAX:
            return None
        answered.count += 1
        answered.challenges = challenges
        answered.nonce_count = 0
        fields: Fields = []
        for field, earlier in self._answered.items():
            credentials = self._credentials(request, earlier, trunk)
            if credentials is not None:
                fields.append((field, credentials))
            elif field == name:
                return None
        return fields

    def _credentials(self, request: Request, answered: "_Answered", trunk: Trunk) -> str | None:
        answered.nonce_count += 1
        return answer_challenge(
            answered.challenges,
            method=request.method,
            uri=request.uri,
            username=trunk.username,
            password=trunk.password,
            cnonce=self._tokens.tag(),
            nc=answered.nonce_count,
            realm=trunk.realm or None,
        )


class _Answered:
    """What one party on the way asked with: each nonce counts its uses (RFC 7616 3.4)."""

    __slots__ = ("challenges", "count", "nonce_count")

    def __init__(self) -> None:
        self.challenges: list[str] = []
        self.count = 0
        self.nonce_count = 0


def _is_stale(challenges: list[str]) -> bool:
    parsed = [parse_challenge(value) for value in challenges]
    return any(challenge is not None and challenge.is_stale for challenge in parsed)
