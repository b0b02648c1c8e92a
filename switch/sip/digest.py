"""Digest authentication, both ends: RFC 3261 22, RFC 7616, RFC 8760.

`DigestAuthority` challenges phones and checks their answers; `answer_challenge` answers a carrier's 401 or
407 for a trunk. As a server we ask for qop=auth and take nothing less: no RFC 2069 answers, no `auth-int`, no
session variants, and no algorithm that was not offered to this line. As a client we also answer what older
carriers still send.

Lenient towards phones, by the names of quirks.py: DIGEST_QUOTES (any parameter may come quoted or bare),
DIGEST_NO_COMMA, DIGEST_URI_ELSEWHERE (see `_target_problem`).
Left out: userhash, Authentication-Info, next nonces, and phones that log in as `user@domain` and hash that whole
name. They would take one more kept hash for each line, domain and algorithm, and a domain added later would
silently miss it: too much for one field of the phone that somebody filled in. They are refused like a wrong
password, but counted apart (USER_AT_DOMAIN), so that their owner can be told what to change.
"""

import enum
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from switch.sip.digest_values import (
    MD5,
    SESSION_SUFFIX,
    SHA_256,
    digest_response,
    ha1,
    is_supported,
    parse_parameters,
    session_ha1,
    unescaped,
)
from switch.sip.errors import SipParseError
from switch.sip.grammar import WSP
from switch.sip.message import Request
from switch.sip.nonces import Nonces
from switch.sip.quirks import DIGEST_NO_COMMA, DIGEST_QUOTES, DIGEST_URI_ELSEWHERE
from switch.sip.uri import SipUri, parse_uri

OFFER_MD5: Final[tuple[str, ...]] = (MD5,)
OFFER_BOTH: Final[tuple[str, ...]] = (SHA_256, MD5)  # the preferred one first (RFC 8760 2.4)
OFFER_SHA_256: Final[tuple[str, ...]] = (SHA_256,)

# Authorization fields looked at in one request. A phone sends one per realm and algorithm: two, rarely three.
CREDENTIALS_MAX: Final = 8

_AFTER_SCHEME: Final[tuple[str, ...]] = ("", " ", "\t")
_NONCE_COUNT: Final = re.compile(r"[0-9A-Fa-f]{8}")


class Ha1s(NamedTuple):
    """What we keep of a line's password, and the algorithms its challenges offer, the preferred one first.

    An empty value never matches anything: a user who does not exist has two.
    """

    md5: str
    sha256: str
    algorithms: tuple[str, ...] = OFFER_MD5


class Outcome(enum.Enum):
    """What became of a request's credentials. WRONG and USER_AT_DOMAIN are bad logins; only STALE asks for
    `stale=true`."""

    OK = "ok"
    # None for our realm in an algorithm offered to this line: challenge.
    MISSING = "missing"
    # The nonce is expired, forgotten, another source's or not ours. The password was not looked at: challenge again.
    STALE = "stale"
    # Unknown user or wrong password, which look the same.
    WRONG = "wrong"
    # The same, for a user name of the form `user@domain`, the domain ours: most likely only the name is wrong.
    USER_AT_DOMAIN = "user_at_domain"
    # A right answer, but seen before: challenge again.
    REPLAYED = "replayed"
    # 400; the verdict's `reason` says why.
    MALFORMED = "malformed"


class Verdict(NamedTuple):
    """`user` is without a domain of ours. It is proven for OK and REPLAYED, and only claimed for the others."""

    outcome: Outcome
    user: str = ""
    reason: str = ""

    @property
    def is_bad_login(self) -> bool:
        return self.outcome in (Outcome.WRONG, Outcome.USER_AT_DOMAIN)


class _Credentials(NamedTuple):
    """One Authorization field for our realm. Text is as it stood between the quotes, as it was hashed."""

    username: str
    nonce: str
    uri: str
    response: str
    algorithm: str
    qop: str
    nc: str
    cnonce: str


class DigestAuthority:
    """One realm's challenges and the check of their answers. `now` is monotonic seconds.

    `secret` must be new at each start of the process (see nonces.py). `domains` are ours.
    """

    __slots__ = ("_domains", "_nonces", "_stand_in", "realm")

    def __init__(
        self,
        realm: str,
        secret: bytes,
        *,
        nonce_lifetime_s: float,
        domains: Iterable[str] = (),
    ) -> None:
        if not realm or not realm.isprintable() or '"' in realm or "\\" in realm:
            raise ValueError(
                f"realm {realm!r} is empty or has characters that a quoted string would have to escape"
            )
        self.realm = realm
        self._nonces = Nonces(secret, lifetime_s=nonce_lifetime_s)
        self._domains = frozenset(domain.lower() for domain in domains)
        # Stands in for what we do not have, so that an unknown user costs just what a wrong password costs.
        unguessable = hashlib.sha256(b"no such user" + secret).hexdigest()
        self._stand_in = Ha1s(unguessable[:32], unguessable)

    def challenges(
        self, now: float, algorithms: tuple[str, ...], *, source: str = "", stale: bool = False
    ) -> list[str]:
        """Values for WWW-Authenticate or Proxy-Authenticate: a field for each algorithm, in this order.

        Only `source` can answer them, whatever the caller takes for one.
        """
        head = f'Digest realm="{self.realm}", nonce="{self._nonces.mint(now, source)}", '
        tail = ', qop="auth", stale=true' if stale else ', qop="auth"'
        return [f"{head}algorithm={algorithm}{tail}" for algorithm in algorithms]

    def verify(
        self,
        request: Request,
        values: list[str],
        now: float,
        lookup: Callable[[str], Ha1s],
        *,
        source: str = "",
    ) -> Verdict:
        """Judge the Authorization or Proxy-Authorization values of a request that came from `source`.

        A wrong answer to a challenge that this source was not given is STALE, not WRONG: whoever forges an
        address cannot make it a guesser's.

        `lookup` finds a line's HA1s by its user; for a user that does not exist they are empty, with the
        algorithms that were offered. Such a user takes the same way through here as one with a wrong
        password, with the same number of hashes.
        """
        answers, problem = self._answers(request, values)
        if not answers:
            return Verdict(Outcome.MALFORMED, reason=problem) if problem else Verdict(Outcome.MISSING)
        user, is_at_domain = self._user(unescaped(answers[0].username))
        ha1s = lookup(user)
        answer = _preferred(answers, ha1s.algorithms)
        if answer is None:
            return Verdict(Outcome.MISSING)
        problem = _shape_problem(answer) or _target_problem(answer.uri, request)
        if problem:
            return Verdict(Outcome.MALFORMED, user, problem)
        outcome = self._judge(request, answer, user, ha1s, now, source)
        if outcome is Outcome.WRONG and is_at_domain:
            outcome = Outcome.USER_AT_DOMAIN
        return Verdict(outcome, user)

    def _judge(
        self, request: Request, answer: _Credentials, user: str, ha1s: Ha1s, now: float, source: str
    ) -> Outcome:
        if not self._nonces.is_current(answer.nonce, now, source):
            return Outcome.STALE
        kept = _ha1_for(ha1s, answer.algorithm)
        stand_in = _ha1_for(self._stand_in, answer.algorithm)  # looked up for a line, too: both take the same steps
        expected = digest_response(
            kept or stand_in,
            algorithm=answer.algorithm,
            method=request.method,
            uri=answer.uri,
            nonce=answer.nonce,
            qop=answer.qop,
            nc=answer.nc,
            cnonce=answer.cnonce,
        )
        # As bytes: compare_digest refuses text that is not ASCII, which a peer may well send.
        sent = answer.response.lower().encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(expected.encode(), sent) or not kept:
            return Outcome.WRONG
        if not self._nonces.take(answer.nonce, user, int(answer.nc, 16), now):
            return Outcome.REPLAYED
        return Outcome.OK

    def _answers(self, request: Request, values: list[str]) -> tuple[list[_Credentials], str]:
        """The credentials for our realm, and what is wrong with those that cannot be read."""
        answers: list[_Credentials] = []
        problem = ""
        for value in values[:CREDENTIALS_MAX]:
            text = _digest_parameters(value)
            if text is None:
                continue
            parameters = parse_parameters(text)
            if parameters is None:
                problem = "credentials cannot be read"
                continue
            get = parameters.get
            if unescaped(get("realm", "")) != self.realm:
                continue
            request.quirks |= _quirks(text, parameters)
            answers.append(
                _Credentials(
                    get("username", ""),
                    get("nonce", ""),
                    get("uri", ""),
                    get("response", ""),
                    get("algorithm", MD5).upper(),
                    get("qop", ""),
                    get("nc", ""),
                    get("cnonce", ""),
                )
            )
        return answers, problem

    def _user(self, username: str) -> tuple[str, bool]:
        """The user a user name means, and whether it came as user@domain."""
        user, at, domain = username.rpartition("@")
        if at and domain.lower() in self._domains:
            return user, True
        return username, False


def _quirks(text: str, parameters: dict[str, str]) -> int:
    """Of credentials that could be read. Only commas between parameters can make up for those within quotes."""
    quirks = 0
    if 'qop="' in text or 'nc="' in text or 'algorithm="' in text:
        quirks = DIGEST_QUOTES
    return quirks | DIGEST_NO_COMMA if text.count(",") < len(parameters) - 1 else quirks


def _preferred(answers: list[_Credentials], algorithms: tuple[str, ...]) -> _Credentials | None:
    """The answer in the most preferred algorithm; those never offered are ignored, as RFC 8760 2.5 asks."""
    for algorithm in algorithms:
        for answer in answers:
            if answer.algorithm == algorithm:
                return answer
    return None


def _shape_problem(answer: _Credentials) -> str:
    if not answer.username or not answer.nonce or not answer.uri or not answer.response:
        return "digest username, nonce, uri or response missing"
    if answer.qop.lower() != "auth":
        return "digest qop=auth required"
    if not answer.cnonce:
        return "digest cnonce missing"
    if _NONCE_COUNT.fullmatch(answer.nc) is None or answer.nc == "00000000":
        return "digest nc is not eight hexadecimal digits above 0"
    return ""


def _target_problem(digest_uri: str, request: Request) -> str:
    """Whether an answer for `digest_uri` may authorise this request (RFC 7616 3.4.6, leniently).

    The user parts must agree, or an answer caught on its way could be turned into a call to another number.
    The host need not: behind a border controller the phone signed for the controller's address (a Cisco
    SPA525 through a Sansay does). A phone that signed for the bare server ("sip:192.0.2.1:5060", as SIPp does
    for every request) is taken, too: what protects its answer then is the nonce count alone.
    """
    if digest_uri == request.uri:
        return ""
    try:
        signed, target = parse_uri(digest_uri), request.request_uri
    except SipParseError:
        return "digest uri is not a URI"
    if signed == target:
        return ""
    if (
        isinstance(signed, SipUri)
        and isinstance(target, SipUri)
        and signed.unescaped_user in ("", target.unescaped_user)
    ):
        request.quirks |= DIGEST_URI_ELSEWHERE
        return ""
    return "digest uri is not the Request-URI"


def _ha1_for(ha1s: Ha1s, algorithm: str) -> str:
    if algorithm == MD5:
        return ha1s.md5
    return ha1s.sha256 if algorithm == SHA_256 else ""


def _digest_parameters(value: str) -> str | None:
    """What follows "Digest"; None for another scheme, which is another's business (RFC 3261 22.1)."""
    value = value.strip(WSP)
    return value[6:] if value[:6].lower() == "digest" and value[6:7] in _AFTER_SCHEME else None


class Challenge(NamedTuple):
    """A WWW-Authenticate or Proxy-Authenticate value. Text stays escaped, to be sent back as it came."""

    realm: str
    nonce: str
    algorithm: str
    qops: tuple[str, ...]
    opaque: str | None
    is_stale: bool


def parse_challenge(value: str) -> Challenge | None:
    """None for another scheme, or for a challenge that cannot be answered."""
    text = _digest_parameters(value)
    parameters = None if text is None else parse_parameters(text)
    if parameters is None or "realm" not in parameters or "nonce" not in parameters:
        return None
    return Challenge(
        parameters["realm"],
        parameters["nonce"],
        parameters.get("algorithm", MD5),
        tuple(qop.strip(WSP).lower() for qop in parameters.get("qop", "").split(",") if qop.strip(WSP)),
        parameters.get("opaque"),
        parameters.get("stale", "").lower() == "true",
    )


def answer_challenge(
    challenge_headers: list[str],
    *,
    method: str,
    uri: str,
    username: str,
    password: str,
    cnonce: str,
    nc: int = 1,
    realm: str | None = None,
    body: bytes = b"",
) -> str | None:
    """The value of Authorization (for 401) or Proxy-Authorization (for 407); None if there is no answer.

    The topmost challenge with an algorithm we know is taken (RFC 8760 2.4). With `realm`, challenges of other
    realms are passed over, so that a stranger cannot collect answers made from this password. `cnonce` is a
    fresh random token.
    """
    for value in challenge_headers:
        challenge = parse_challenge(value)
        if challenge is None or (realm is not None and unescaped(challenge.realm) != realm):
            continue
        qop = _client_qop(challenge.qops)
        if qop is None or not is_supported(challenge.algorithm):
            continue
        secret_hash = ha1(username, unescaped(challenge.realm), password, challenge.algorithm)
        response = digest_response(
            session_ha1(secret_hash, challenge.algorithm, nonce=challenge.nonce, cnonce=cnonce),
            algorithm=challenge.algorithm,
            method=method,
            uri=uri,
            nonce=challenge.nonce,
            qop=qop,
            nc=f"{nc:08x}",
            cnonce=cnonce,
            body=body,
        )
        return _format_answer(challenge, username, uri, response, qop=qop, nc=nc, cnonce=cnonce)
    return None


def _client_qop(offered: tuple[str, ...]) -> str | None:
    """`auth` where it is offered; "" (RFC 2069) only for a carrier that offers none at all."""
    if not offered:
        return ""
    return next((qop for qop in ("auth", "auth-int") if qop in offered), None)


def _format_answer(
    challenge: Challenge, username: str, uri: str, response: str, *, qop: str, nc: int, cnonce: str
) -> str:
    escaped = username.replace("\\", "\\\\").replace('"', '\\"')
    parts = [
        f'Digest username="{escaped}", realm="{challenge.realm}", nonce="{challenge.nonce}", uri="{uri}"',
        f'response="{response}", algorithm={challenge.algorithm}',
    ]
    if qop:
        parts.append(f'cnonce="{cnonce}", qop={qop}, nc={nc:08x}')
    elif challenge.algorithm.upper().endswith(SESSION_SUFFIX):
        parts.append(f'cnonce="{cnonce}"')
    if challenge.opaque is not None:
        parts.append(f'opaque="{challenge.opaque}"')
    return ", ".join(parts)
