"""Carriers that challenge: each request of a call is answered with the trunk's login, or the call fails cleanly."""

import pytest

from switch.conf_trunks import Trunk
from switch.conf_values import Secret
from switch.sip.digest import DigestAuthority, Ha1s, Outcome
from switch.sip.digest_values import MD5, ha1
from switch.sip.message import Request, make_response
from tests.switch.house import OFFER, House, Phone, make_conf, make_line, make_trunk

FIRST, SECOND = "192.0.2.50", "192.0.2.51"


class ChallengingCarrier(Phone):
    """Wants credentials for every INVITE and BYE. `for_ever` is never content; `stale_nonces` are over at once."""

    for_ever = False
    stale_nonces = 0

    def __init__(self, house: House, host: str, *, status: int = 407) -> None:
        super().__init__(house, "carrier", (host, 5060))
        self.authority = DigestAuthority("carrier.example", b"k" * 32, nonce_lifetime_s=60)
        self.status = status
        self.users: list[str] = []

    def on_request(self, transaction, request: Request, flow, now: float) -> None:
        if request.method in ("INVITE", "BYE"):
            kind = "proxy-" if self.status == 407 else ""
            values = request.headers.get_all(f"{kind}authorization")
            verdict = self.authority.verify(
                request, values, now, lambda user: Ha1s(ha1(user, "carrier.example", "open sesame", MD5), "")
            )
            is_stale = bool(values) and self.stale_nonces > 0
            self.stale_nonces -= is_stale
            if self.for_ever or is_stale or verdict.outcome is not Outcome.OK:
                response = make_response(request, self.status, to_tag="challenge")
                name = "proxy-authenticate" if kind else "www-authenticate"
                response.headers.add(name, self.authority.challenges(now, (MD5,), stale=is_stale)[0])
                self.requests.append(request)
                transaction.respond(response, now)
                return
            self.users.append(verdict.user)
        super().on_request(transaction, request, flow, now)


def house_with_login(*more: Trunk, password: str = "open sesame") -> tuple[House, Phone]:
    trunk = make_trunk("one", FIRST, username="offhook", password=Secret(password))
    house = House(conf=make_conf(trunks=[trunk, *more]), lines=[make_line("alice")])
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    return house, alice


@pytest.mark.parametrize("status", [401, 407])
def test_a_carriers_challenge_is_answered_with_the_trunks_credentials(status: int) -> None:
    house, alice = house_with_login()
    carrier = ChallengingCarrier(house, FIRST, status=status)
    alice.invite("01632960123")
    house.run(3)
    assert alice.statuses[-1] == 200
    alice.hang_up()
    house.run(40)
    assert carrier.users == ["offhook", "offhook"]
    assert [request.cseq.number for request in carrier.requests_of("INVITE")] == [1, 2]
    house.assert_clean()


@pytest.mark.parametrize(("status", "password"), [(401, "wrong"), (407, "wrong"), (407, "open sesame")])
def test_a_rejected_password_is_not_given_again_and_fails_the_call(status: int, password: str) -> None:
    house, alice = house_with_login(password=password)
    carrier = ChallengingCarrier(house, FIRST, status=status)
    carrier.for_ever = True
    alice.invite("01632960123")
    house.run(40)
    assert len(carrier.requests_of("INVITE")) == 2
    assert alice.statuses[-1] == 500  # a challenge would make the phone ask its owner for a password
    caller, callee = house.journal.cdrs()
    assert (caller.sip_status, callee.sip_status) == (500, status)
    assert caller.reason == callee.reason == "credentials were asked for that we do not have"
    house.assert_clean()


def test_a_stale_nonce_is_followed_by_a_fresh_one_but_not_for_ever() -> None:
    house, alice = house_with_login()
    carrier = ChallengingCarrier(house, FIRST)
    carrier.stale_nonces = 1
    alice.invite("01632960123")
    house.run(3)
    assert alice.statuses[-1] == 200
    alice.hang_up()
    house.run(3)
    assert carrier.users == ["offhook", "offhook"]  # the BYE is answered for, however often the INVITE was
    carrier.stale_nonces = 100
    carrier.requests.clear()
    alice.invite("01632960123")
    house.run(40)
    assert len(carrier.requests_of("INVITE")) == 3
    assert alice.statuses[-1] == 500
    house.assert_clean()


def test_every_request_of_a_call_may_be_challenged() -> None:
    house, alice = house_with_login()
    carrier = ChallengingCarrier(house, FIRST)
    alice.invite("01632960123")
    house.run(3)
    for _ in range(3):
        alice.send_in_dialog("INVITE", OFFER)
        house.run(1)
        assert alice.statuses[-1] == 200
    alice.hang_up()
    house.run(40)
    assert carrier.users == ["offhook"] * 5
    house.assert_clean()


class GuardedCarrier(Phone):
    """A proxy that asks for credentials (407) before a gateway that does, too (401)."""

    def __init__(self, house: House, host: str) -> None:
        super().__init__(house, "carrier", (host, 5060))
        self.guards = [
            (407, "proxy-", DigestAuthority("proxy.example", b"k" * 32, nonce_lifetime_s=60)),
            (401, "", DigestAuthority("gateway.example", b"g" * 32, nonce_lifetime_s=60)),
        ]

    def on_request(self, transaction, request: Request, flow, now: float) -> None:
        for status, kind, authority in self.guards if request.method in ("INVITE", "BYE") else ():
            realm = authority.realm
            verdict = authority.verify(
                request,
                request.headers.get_all(f"{kind}authorization"),
                now,
                lambda user, realm=realm: Ha1s(ha1(user, realm, "open sesame", MD5), ""),
            )
            if verdict.outcome is not Outcome.OK:
                response = make_response(request, status, to_tag="challenge")
                name = "proxy-authenticate" if kind else "www-authenticate"
                response.headers.add(name, authority.challenges(now, (MD5,), stale=False)[0])
                self.requests.append(request)
                transaction.respond(response, now)
                return
        super().on_request(transaction, request, flow, now)


def test_a_proxy_and_a_gateway_may_both_ask() -> None:
    """A 407, then a 401: the third request has the answers to both (RFC 3261 22.3)."""
    house, alice = house_with_login()
    carrier = GuardedCarrier(house, FIRST)
    alice.invite("01632960123")
    house.run(3)
    assert alice.statuses[-1] == 200
    alice.send_in_dialog("INVITE", OFFER)
    house.run(1)
    assert alice.statuses[-1] == 200
    alice.hang_up()
    house.run(40)
    tries = [
        (r.method, "proxy-authorization" in r.headers, "authorization" in r.headers) for r in carrier.requests
    ]
    assert tries == [
        (method, *sent)
        for method in ("INVITE", "INVITE", "BYE")
        for sent in ((False, False), (True, False), (True, True))
    ]
    house.assert_clean()


def test_a_reinvite_that_the_carrier_challenges_in_vain_is_no_challenge_to_the_phone() -> None:
    house, alice = house_with_login()
    carrier = ChallengingCarrier(house, FIRST)
    alice.invite("01632960123")
    house.run(3)
    carrier.for_ever = True
    alice.send_in_dialog("INVITE", OFFER)
    house.run(1)
    assert alice.statuses[-1] == 500
    carrier.for_ever = False
    alice.hang_up()
    house.run(40)
    assert carrier.users == ["offhook", "offhook"]
    house.assert_clean()


@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_trunk_that_does_not_take_us_is_followed_by_the_next(password: str) -> None:
    house, alice = house_with_login(make_trunk("two", SECOND), password=password)
    ChallengingCarrier(house, FIRST)
    second = house.phone("two", SECOND)
    alice.invite("01632960123")
    house.run(5)
    assert second.requests_of("INVITE")
    assert alice.statuses[-1] == 200
    alice.hang_up()
    house.run(40)
    assert [row.sip_status for row in house.journal.cdrs()] == [200, 407, 200]
    house.assert_clean()
