"""The exchange as a digest server: the published vectors, right and wrong answers, and the ways to cheat."""

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip.digest import (
    OFFER_BOTH,
    OFFER_MD5,
    DigestAuthority,
    Ha1s,
    Outcome,
    Verdict,
    answer_challenge,
    parse_challenge,
)
from switch.sip.digest_values import digest_response, ha1, parse_parameters, session_ha1
from switch.sip.headers import Headers
from switch.sip.message import Request
from tests.compiled import interpreted_only
from tests.switch.sip.digest_bench import (
    NOBODY,
    PASSWORD,
    REALM,
    SECRET,
    URI,
    Exchange,
    look_up,
    needs_corpora,
    parameter,
    vectors,
    without,
)

# The published vectors


@needs_corpora
@pytest.mark.parametrize("vector", vectors())
def test_hashes_and_response_are_those_of_the_published_vector(vector: dict[str, Any]) -> None:
    algorithm = vector["algorithm"] or "MD5"
    secret_hash = ha1(vector["username"], vector["realm"], vector["password"], algorithm)
    secret_hash = session_ha1(secret_hash, algorithm, nonce=vector["nonce"], cnonce=vector.get("cnonce", ""))
    assert secret_hash == vector["ha1"]
    response = digest_response(
        secret_hash,
        algorithm=algorithm,
        method=vector["method"],
        uri=vector["uri"],
        nonce=vector["nonce"],
        qop=vector["qop"] or "",
        nc=vector.get("nc", ""),
        cnonce=vector.get("cnonce", ""),
        body=vector.get("body", "").encode(),
    )
    assert response == vector["response"]


@needs_corpora
@pytest.mark.parametrize("vector", vectors())
def test_a_carriers_challenge_is_answered_as_the_published_vector_says(vector: dict[str, Any]) -> None:
    challenge = f'Digest realm="{vector["realm"]}", nonce="{vector["nonce"]}"'
    challenge += f', qop="{vector["qop"]}"' if vector["qop"] else ""
    challenge += f", algorithm={vector['algorithm']}" if vector["algorithm"] else ""
    challenge += f', opaque="{vector["opaque"]}"' if "opaque" in vector else ""
    answer = answer_challenge(
        [challenge],
        method=vector["method"],
        uri=vector["uri"],
        username=vector["username"],
        password=vector["password"],
        cnonce=vector.get("cnonce", "unused"),
        body=vector.get("body", "").encode(),
    )
    assert answer is not None
    parameters = parse_parameters(answer.removeprefix("Digest"))
    assert parameters is not None
    assert parameters["response"] == vector["response"]
    assert parameters["realm"] == vector["realm"]
    assert parameters["nonce"] == vector["nonce"]
    assert parameters.get("opaque") == vector.get("opaque")
    assert parameters.get("qop") == vector["qop"]
    assert parameters.get("nc") == vector.get("nc")


# A phone and the exchange


@pytest.mark.parametrize(
    ("user", "algorithms"), [("alice", ["MD5"]), ("both", ["SHA-256", "MD5"]), ("strict", ["SHA-256"])]
)
def test_a_line_is_challenged_in_the_algorithms_of_its_policy_the_strongest_first(
    user: str, algorithms: list[str]
) -> None:
    challenges = [parse_challenge(value) for value in Exchange().challenge(user)]
    assert [challenge.algorithm for challenge in challenges if challenge] == algorithms
    assert all(challenge and challenge.qops == ("auth",) for challenge in challenges)
    assert all(challenge and challenge.realm == REALM for challenge in challenges)


@pytest.mark.parametrize("user", ["alice", "both", "strict"])
def test_a_right_answer_is_accepted(user: str) -> None:
    exchange = Exchange()
    answer = exchange.answer(exchange.challenge(user), username=user)
    assert exchange.verify(answer) == Verdict(Outcome.OK, user)


def test_a_phone_that_only_knows_md5_is_accepted_on_a_line_that_offers_both() -> None:
    exchange = Exchange()
    md5_only = exchange.challenge("both")[1:]
    assert exchange.outcome(exchange.answer(md5_only, username="both")) is Outcome.OK


def test_an_md5_answer_on_a_line_that_only_offers_sha256_is_ignored() -> None:
    exchange = Exchange()
    downgraded = exchange.answer(exchange.authority.challenges(0.0, OFFER_MD5), username="strict")
    assert exchange.outcome(downgraded) is Outcome.MISSING


@pytest.mark.parametrize("algorithm", ["SHA-512-256", "MD5-sess", "SHA-256-sess", "none", ""])
def test_an_algorithm_never_offered_is_ignored(algorithm: str) -> None:
    exchange = Exchange()
    answer = parameter(exchange.answer(exchange.challenge()), "algorithm", algorithm)
    assert exchange.outcome(answer) is Outcome.MISSING


def test_a_missing_algorithm_means_md5() -> None:
    exchange = Exchange()
    answer = without(exchange.answer(exchange.challenge()), "algorithm")
    assert exchange.outcome(answer) is Outcome.OK


def test_of_two_answers_the_one_in_the_preferred_algorithm_is_judged() -> None:
    exchange = Exchange()
    sha256, md5 = exchange.challenge("both")
    right = exchange.answer([sha256], username="both")
    wrong = exchange.answer([md5], username="both", password="wrong")
    assert exchange.outcome(wrong, right) is Outcome.OK
    wrong = exchange.answer([sha256], username="both", password="wrong")
    right = exchange.answer([md5], username="both")
    assert exchange.outcome(right, wrong) is Outcome.WRONG


def test_without_credentials_or_with_another_scheme_or_realm_the_answer_is_missing() -> None:
    exchange = Exchange()
    elsewhere = exchange.answer(exchange.challenge()).replace(REALM, "elsewhere.example.com")
    assert exchange.outcome() is Outcome.MISSING
    assert exchange.outcome("Bearer abc.def") is Outcome.MISSING
    assert exchange.outcome(elsewhere) is Outcome.MISSING
    assert exchange.outcome("") is Outcome.MISSING


def test_credentials_for_another_realm_beside_ours_are_passed_over() -> None:
    exchange = Exchange()
    ours = exchange.answer(exchange.challenge())
    elsewhere = 'Digest username="carol", realm="elsewhere.example.com", nonce="1", uri="sip:x", response="2"'
    assert exchange.outcome(elsewhere, "Digest , broken", ours) is Outcome.OK


# The password


def test_a_wrong_password_is_a_bad_login() -> None:
    exchange = Exchange()
    verdict = exchange.verify(exchange.answer(exchange.challenge(), password="wrong"))
    assert verdict == Verdict(Outcome.WRONG, "alice")
    assert verdict.is_bad_login


def test_an_unknown_user_cannot_be_told_from_a_wrong_password() -> None:
    exchange = Exchange()
    wrong = exchange.verify(exchange.answer(exchange.challenge(), password="wrong"))
    unknown = exchange.verify(exchange.answer(exchange.challenge(), username="nobody"))
    assert (wrong.outcome, wrong.reason) == (unknown.outcome, unknown.reason)
    assert [len(value) for value in exchange.challenge()] == [
        len(value) for value in exchange.challenge("nobody")
    ]


@interpreted_only
def test_an_unknown_user_costs_as_many_steps_as_a_wrong_password() -> None:
    exchange = Exchange()

    def steps(answer: str) -> list[str]:
        taken: list[str] = []

        def note(frame: Any, event: str, argument: Any) -> None:
            if event == "c_call":
                taken.append(argument.__name__)
            elif event == "call":
                taken.append(frame.f_code.co_name)

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            assert exchange.outcome(answer) is Outcome.WRONG
        finally:
            sys.setprofile(before)
        return [
            step for step in taken if "md5" in step or "hash" in step or step in ("compare_digest", "encode")
        ]

    wrong = steps(exchange.answer(exchange.challenge(), password="wrong"))
    unknown = steps(exchange.answer(exchange.challenge(), username="nobody", password="wrong"))
    assert wrong == unknown
    assert len(wrong) > 4


def test_a_line_without_a_hash_for_the_algorithm_cannot_be_entered_with_an_empty_one() -> None:
    """Without the guard, anybody could compute the response from an empty HA1."""
    exchange = Exchange()
    challenge = parse_challenge(exchange.challenge()[0])
    assert challenge is not None
    response = digest_response(
        "",
        algorithm="MD5",
        method="INVITE",
        uri=URI,
        nonce=challenge.nonce,
        qop="auth",
        nc="00000001",
        cnonce="x",
    )
    answer = (
        f'Digest username="alice", realm="{REALM}", nonce="{challenge.nonce}", uri="{URI}", qop=auth, '
        f'nc=00000001, cnonce="x", response="{response}"'
    )
    request = Request("INVITE", URI, Headers())
    assert exchange.authority.verify(request, [answer], 0.0, lambda _: NOBODY).outcome is Outcome.WRONG


@pytest.mark.parametrize("domain", [REALM, REALM.upper()])
@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_a_user_name_with_our_domain_is_refused_and_counted_apart(user: str, domain: str) -> None:
    """Such phones hash the whole name, and no hash is kept that was made of it."""
    exchange = Exchange()
    verdict = exchange.verify(exchange.answer(exchange.challenge(), username=f"{user}@{domain}"))
    assert verdict == Verdict(Outcome.USER_AT_DOMAIN, user)
    assert verdict.is_bad_login


def test_a_user_name_with_another_domain_is_nobody_here() -> None:
    exchange = Exchange()
    answer = exchange.answer(exchange.challenge(), username="alice@elsewhere.example.com")
    assert exchange.verify(answer) == Verdict(Outcome.WRONG, "alice@elsewhere.example.com")


def test_a_user_name_with_quotes_and_backslashes_is_what_it_says() -> None:
    exchange = Exchange()
    odd = 'al"ice\\'
    lines = {odd: Ha1s(ha1(odd, REALM, PASSWORD), "")}
    answer = exchange.answer(exchange.challenge(), username=odd)
    request = Request("INVITE", URI, Headers())
    assert exchange.authority.verify(request, [answer], 0.0, lines.__getitem__) == Verdict(Outcome.OK, odd)


# Replay and age


def test_the_same_nonce_and_count_are_never_accepted_twice() -> None:
    exchange = Exchange()
    answer = exchange.answer(exchange.challenge())
    assert exchange.outcome(answer) is Outcome.OK
    verdict = exchange.verify(answer)
    assert verdict == Verdict(Outcome.REPLAYED, "alice")
    assert not verdict.is_bad_login


def test_one_nonce_serves_many_requests_with_rising_counts() -> None:
    exchange = Exchange()
    challenges = exchange.challenge()
    for count in (1, 2, 4, 3, 0x3E9):
        assert exchange.outcome(exchange.answer(challenges, nc=count)) is Outcome.OK
    for count in (1, 2, 3, 4, 5, 0x3E9):
        assert exchange.outcome(exchange.answer(challenges, nc=count)) is Outcome.REPLAYED


@pytest.mark.parametrize(
    ("facts", "outcome"),
    [
        ({"method": "BYE"}, Outcome.WRONG),
        ({"uri": "sip:118118@exchange.example.org"}, Outcome.MALFORMED),
        ({"uri": "tel:+441632960001"}, Outcome.MALFORMED),
        ({"now": 300.01}, Outcome.STALE),
        ({"now": 1e9}, Outcome.STALE),
    ],
)
def test_a_captured_answer_is_worth_nothing_elsewhere(facts: dict[str, Any], outcome: Outcome) -> None:
    exchange = Exchange()
    answer = exchange.answer(exchange.challenge())
    assert exchange.outcome(answer, **facts) is outcome


def test_a_captured_answer_cannot_be_renewed_by_changing_its_count_or_nonce() -> None:
    exchange = Exchange()
    answer = exchange.answer(exchange.challenge())
    assert exchange.outcome(answer) is Outcome.OK
    assert exchange.outcome(parameter(answer, "nc", "00000002")) is Outcome.WRONG
    other = parse_challenge(exchange.challenge()[0])
    assert other is not None
    assert exchange.outcome(parameter(answer, "nonce", other.nonce)) is Outcome.WRONG


def test_a_wrong_answer_uses_up_no_count() -> None:
    """Otherwise a stranger who sees a nonce could lock its owner out."""
    exchange = Exchange()
    challenges = exchange.challenge()
    assert exchange.outcome(exchange.answer(challenges, password="wrong")) is Outcome.WRONG
    assert exchange.outcome(exchange.answer(challenges)) is Outcome.OK


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_an_old_nonce_is_stale_and_no_bad_login_whoever_asks(user: str, password: str) -> None:
    exchange = Exchange(nonce_lifetime_s=300.0)
    old = exchange.answer(exchange.challenge(now=0.0), username=user, password=password)
    verdict = exchange.verify(old, now=301.0)
    assert verdict.outcome is Outcome.STALE
    assert not verdict.is_bad_login


def test_after_a_restart_the_nonces_of_before_are_stale() -> None:
    before = Exchange()
    answer = before.answer(before.challenge())
    after = DigestAuthority(REALM, b"the secret made at the next start", nonce_lifetime_s=300.0)
    assert after.verify(Request("INVITE", URI, Headers()), [answer], 0.0, look_up).outcome is Outcome.STALE


def test_a_stale_challenge_says_so_and_its_answer_is_accepted() -> None:
    exchange = Exchange()
    challenges = exchange.authority.challenges(400.0, OFFER_BOTH, stale=True)
    assert all(challenge and challenge.is_stale for challenge in map(parse_challenge, challenges))
    assert not any(
        challenge and challenge.is_stale for challenge in map(parse_challenge, exchange.challenge())
    )
    assert exchange.outcome(exchange.answer(challenges, username="both"), now=400.0) is Outcome.OK


# Malformed credentials


@pytest.mark.parametrize("name", ["username", "nonce", "uri", "response", "qop", "nc", "cnonce"])
def test_credentials_without_a_required_parameter_are_malformed(name: str) -> None:
    exchange = Exchange()
    verdict = exchange.verify(without(exchange.answer(exchange.challenge()), name))
    assert verdict.outcome is Outcome.MALFORMED
    assert verdict.reason


def test_credentials_without_a_realm_are_nobodys() -> None:
    exchange = Exchange()
    assert exchange.outcome(without(exchange.answer(exchange.challenge()), "realm")) is Outcome.MISSING


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("qop", "auth-int"),
        ("qop", ""),
        ("nc", "1"),
        ("nc", "00000000"),
        ("nc", "0000000g"),
        ("nc", "+0000001"),
        ("nc", "0000_001"),
        ("nc", "\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0661"),
        ("nc", "000000001"),
        ("cnonce", ""),
        ("response", ""),
        ("uri", ""),
        ("uri", "not a uri"),
        ("uri", "sip:"),
    ],
)
def test_credentials_with_an_impossible_value_are_malformed(name: str, value: str) -> None:
    exchange = Exchange()
    assert (
        exchange.outcome(parameter(exchange.answer(exchange.challenge()), name, value)) is Outcome.MALFORMED
    )


@pytest.mark.parametrize("response", ["0" * 32, "x", "0" * 10_000, "é", "\udcff\udcfe", "\u0660" * 32])
def test_a_response_of_any_characters_is_wrong_without_an_exception(response: str) -> None:
    exchange = Exchange()
    answer = parameter(exchange.answer(exchange.challenge()), "response", response)
    assert exchange.outcome(answer) is Outcome.WRONG


def test_an_answer_without_qop_is_refused_even_when_it_would_be_right() -> None:
    """No way back to RFC 2069, whose answers can be replayed for as long as the nonce lives."""
    exchange = Exchange()
    legacy = [value.replace(', qop="auth"', "") for value in exchange.challenge()]
    verdict = exchange.verify(exchange.answer(legacy))
    assert verdict.outcome is Outcome.MALFORMED
    assert "qop" in verdict.reason


@pytest.mark.parametrize(
    "broken",
    [
        "Digest",
        "Digest ",
        "Digest ,",
        "Digest =",
        'Digest username="alice',
        "Digest username",
        'Digest username="alice" @ realm="x"',
        'Digest realm="exchange.example.org", realm="exchange.example.org"',
        'Digest username="alice", USERNAME="bob", realm="exchange.example.org"',
        'Digest username="alice\\',
    ],
)
def test_credentials_that_cannot_be_read_are_malformed(broken: str) -> None:
    assert Exchange().outcome(broken) is Outcome.MALFORMED


@given(st.text(max_size=200), st.text(max_size=60))
def test_any_text_for_credentials_is_judged_without_an_exception(text: str, uri: str) -> None:
    exchange = Exchange()
    assert exchange.outcome(text, "Digest " + text, uri=uri) in (Outcome.MISSING, Outcome.MALFORMED)


@given(
    st.sampled_from(["username", "realm", "nonce", "uri", "response", "algorithm", "qop", "nc", "cnonce"]),
    st.text(),
)
def test_no_change_of_a_parameter_makes_another_answer_right(name: str, text: str) -> None:
    exchange = Exchange()
    answer = exchange.answer(exchange.challenge())
    parameters = parse_parameters(answer.removeprefix("Digest"))
    assert parameters is not None
    text = text.replace("\\", "").replace('"', "")
    changed = "Digest " + ", ".join(
        f'{key}="{text if key == name else value}"' for key, value in parameters.items()
    )
    is_same = parameters[name] == text or (name == "algorithm" and text.upper() == "MD5")
    expected_ok = is_same or (name == "response" and text.lower() == parameters[name])
    assert (exchange.outcome(changed) is Outcome.OK) == expected_ok


@pytest.mark.parametrize(
    "piece", ['a="', '"', "\\", 'a="\\', "a", "a=", ",", " ", "a b ", '="', 'a="b" ', "a=b,", 'x="\\"']
)
def test_long_nonsense_is_read_in_one_pass(piece: str) -> None:
    """Looked at again from each of its characters, this would take minutes."""
    parse_parameters(piece * (200_000 // len(piece)))


def test_only_the_first_few_credentials_of_a_request_are_looked_at() -> None:
    exchange = Exchange()
    elsewhere = 'Digest username="carol", realm="elsewhere.example.com"'
    assert exchange.outcome(*[elsewhere] * 7, exchange.answer(exchange.challenge())) is Outcome.OK
    assert exchange.outcome(*[elsewhere] * 8, exchange.answer(exchange.challenge())) is Outcome.MISSING


@pytest.mark.parametrize("realm", ["", 'a"b', "a\\b", "a\r\nb"])
def test_a_realm_that_cannot_be_quoted_is_our_own_mistake(realm: str) -> None:
    with pytest.raises(ValueError, match="realm"):
        DigestAuthority(realm, SECRET, nonce_lifetime_s=300.0)
