"""Answering a carrier's 401 or 407 with the trunk's credentials (RFC 3261 22.3).

Only a configured trunk's challenge is answered, and only in its realm where one is set: a phone that challenges us
learns nothing (CVE-2021-41158), and a carrier that challenges for ever gets two answers (CVE-2020-28242).
"""

from switch.config import Trunk
from switch.sip.digest import answer_challenge
from switch.sip.message import Response
from switch.sip.tokens import Tokens

ANSWERS_MAX = 2


class CarrierChallenge:
    """The credentials for one leg, and how often they were asked for. `trunk` is None for a phone's leg."""

    __slots__ = ("_answers", "_tokens", "_trunk")

    def __init__(self, trunk: Trunk | None, tokens: Tokens) -> None:
        self._trunk = trunk
        self._tokens = tokens
        self._answers = 0

    def answer(self, response: Response, method: str, uri: str) -> tuple[str, str] | None:
        """The header field to send the request again with, or None where the challenge is not to be answered."""
        trunk = self._trunk
        if (
            response.status not in (401, 407)
            or trunk is None
            or not trunk.password
            or self._answers >= ANSWERS_MAX
        ):
            return None
        is_proxy = response.status == 407
        challenges = response.headers.get_all("proxy-authenticate" if is_proxy else "www-authenticate")
        self._answers += 1
        credentials = answer_challenge(
            challenges,
            method=method,
            uri=uri,
            username=trunk.username,
            password=trunk.password,
            cnonce=self._tokens.tag(),
            realm=trunk.realm or None,
        )
        return (
            None
            if credentials is None
            else ("proxy-authorization" if is_proxy else "authorization", credentials)
        )
