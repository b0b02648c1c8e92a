"""PUBLISH and what watchers see of it (RFC 3903, RFC 3856)."""

import pytest

from provisioning.model import LineRemoved
from switch.events import limits
from switch.events.stored import PUBLICATION_KEY
from tests.switch.events.watcher import Watch, pidf, publish, town
from tests.switch.house import EXCHANGE, House, Phone


@pytest.fixture
def house() -> House:
    return town()


@pytest.fixture
def alice(house: House) -> Phone:
    return house.phone("alice", "192.0.2.10")


@pytest.fixture
def bob(house: House) -> Phone:
    return house.phone("bob", "192.0.2.20")


def kept(house: House) -> list[str]:
    return [key for key in house.journal.state if key.startswith(PUBLICATION_KEY)]


def assert_none_left(house: House) -> None:
    publications = house.exchange.events.publications
    assert not publications.by_tag and not publications._of_line and publications.bytes_held == 0
    assert kept(house) == []
    assert house.exchange.counts.bugs == 0


def state_of(house: House, user: str) -> bytes | None:
    return house.exchange.events.publications.latest(user)


def test_the_flow_of_rfc_3903_15(house: House, alice: Phone, bob: Phone) -> None:
    watch = Watch(bob, "alice")
    assert b"closed" in watch.bodies()[0]
    first = publish(alice, pidf("here"), expires=1800)
    tag = first.headers.get("sip-etag") or ""
    assert (first.status, first.headers.get("expires")) == (200, "1800")
    house.run(6)
    assert watch.bodies()[-1] == pidf("here")
    refreshed = publish(alice, b"", tag=tag, expires=1800)
    new_tag = refreshed.headers.get("sip-etag") or ""
    assert refreshed.status == 200 and new_tag not in ("", tag)
    house.run(6)
    assert len(watch.notifies()) == 2  # a refresh changes nothing, so nobody is told
    modified = publish(alice, pidf("out"), tag=new_tag, expires=1800)
    house.run(6)
    assert watch.bodies()[-1] == pidf("out")
    removed = publish(alice, b"", tag=modified.headers.get("sip-etag") or "", expires=0)
    assert (removed.status, removed.headers.get("expires")) == (200, "0")
    assert "sip-etag" not in removed.headers
    house.run(6)
    assert b"closed" in watch.bodies()[-1]
    assert_none_left(house)


def test_an_entity_tag_is_good_once(alice: Phone) -> None:
    tag = publish(alice, pidf("1")).headers.get("sip-etag") or ""
    assert publish(alice, pidf("2"), tag=tag).status == 200
    assert publish(alice, pidf("3"), tag=tag).status == 412
    assert publish(alice, b"", tag="guessed").status == 412


def test_another_lines_entity_tag_is_none(house: House, alice: Phone, bob: Phone) -> None:
    tag = publish(alice, pidf("mine")).headers.get("sip-etag") or ""
    assert publish(bob, pidf("forged"), tag=tag).status == 412
    assert state_of(house, "alice") == pidf("mine")


def test_it_runs_out(house: House, alice: Phone, bob: Phone) -> None:
    watch = Watch(bob, "alice")
    publish(alice, pidf("here"), expires=60)
    house.run(58)
    assert watch.bodies()[-1] == pidf("here")
    house.run(8)
    assert b"closed" in watch.bodies()[-1]
    assert_none_left(house)


HOSTILE = [
    b'<!DOCTYPE presence [<!ENTITY x SYSTEM "file:///etc/passwd">]><presence>&x;</presence>',
    b'<?xml version="1.0"?><!doctype presence><presence/>',
    b"<presence><!ENTITY a 'b'></presence>",
    b"no document",
    b"\xff\xfe<\0p\0>\0",
    b"<presence>\xff</presence>",
    b"<presence>\0</presence>",
    b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE',
    b'<?xml version="1.0" encoding="ISO-8859-1"?><presence/>',
]


@pytest.mark.parametrize("body", HOSTILE)
def test_a_document_that_could_hurt_a_parser_is_refused(house: House, alice: Phone, body: bytes) -> None:
    """Other people's phones would parse it."""
    assert publish(alice, body).status == 400
    assert_none_left(house)


@pytest.mark.parametrize(
    "body",
    [
        b"<presence/>",
        b"\xef\xbb\xbf<presence/>",
        b'\r\n<?xml version="1.0" encoding="utf-8"?>\n<presence/>',
        pidf("gr\xfc\xdfe"),
        b"<presence><!-- a comment --><![CDATA[x]]></presence>",
    ],
)
def test_a_plain_document_is_passed_on_octet_for_octet(house: House, alice: Phone, body: bytes) -> None:
    assert publish(alice, body).status == 200
    assert state_of(house, "alice") == body


def test_what_is_refused(house: House, alice: Phone) -> None:
    assert publish(alice, b"").status == 400
    assert publish(alice, pidf("x"), expires=59).headers.get("min-expires") == "60"
    assert (
        publish(alice, pidf("x"), content_type="text/plain").headers.get("accept") == "application/pidf+xml"
    )
    assert publish(alice, pidf("x"), content_type="application/pidf+xml;charset=utf-8").status == 200
    assert publish(alice, pidf("x"), fields=[("content-encoding", "gzip")]).status == 415
    assert publish(alice, pidf("x"), event="dialog").headers.get("allow-events") == "presence"
    assert publish(alice, pidf("x"), event="").status == 489
    assert publish(alice, pidf("x"), target="bob").status == 403
    assert publish(alice, pidf("x"), target="nobody").status == 403
    assert publish(alice, pidf("x" * limits.DOCUMENT_BYTES_MAX)).status == 413
    assert publish(alice, pidf("x"), fields=[("sip-if-match", "a"), ("sip-if-match", "b")]).status == 400
    assert publish(alice, pidf("x"), fields=[("require", "x")]).status == 420
    statuses = house.exchange.events.counts.publishes
    assert statuses["415"] == 2 and statuses["403"] == 2


def test_a_wrong_password_publishes_nothing(house: House) -> None:
    liar = house.phone("alice", "192.0.2.66", password="wrong")
    assert publish(liar, pidf("forged")).status == 401
    assert_none_left(house)


def test_the_phone_that_spoke_last_is_believed_and_a_refresh_is_no_word(house: House, alice: Phone) -> None:
    desk = publish(alice, pidf("at the desk")).headers.get("sip-etag") or ""
    mobile = house.phone("alice", "192.0.2.11")
    on_the_way = publish(mobile, pidf("on the way")).headers.get("sip-etag") or ""
    desk = publish(alice, b"", tag=desk).headers.get("sip-etag") or ""
    assert state_of(house, "alice") == pidf("on the way")
    publish(mobile, b"", tag=on_the_way, expires=0)
    assert state_of(house, "alice") == pidf("at the desk")
    assert publish(alice, b"", tag=desk, expires=0).status == 200
    assert_none_left(house)


def test_at_a_lines_limit_the_one_that_spoke_longest_ago_makes_room(
    monkeypatch: pytest.MonkeyPatch, house: House, alice: Phone, bob: Phone
) -> None:
    monkeypatch.setattr(limits, "PUBLICATIONS_PER_LINE_MAX", 2)
    publish(bob, pidf("b"))
    tags = [publish(alice, pidf(str(number))).headers.get("sip-etag") or "" for number in range(3)]
    assert len(house.exchange.events.publications.by_tag) == 3
    assert publish(alice, b"", tag=tags[0]).status == 412
    assert publish(alice, b"", tag=tags[1]).status == 200
    assert state_of(house, "bob") == pidf("b")


def test_when_there_is_no_room_it_is_503_and_a_change_of_what_is_held_goes_on(
    monkeypatch: pytest.MonkeyPatch, alice: Phone, bob: Phone
) -> None:
    monkeypatch.setattr(limits, "PUBLISHED_BYTES_MAX", len(pidf("1")))
    tag = publish(alice, pidf("1")).headers.get("sip-etag") or ""
    refused = publish(bob, pidf("2"))
    assert (refused.status, refused.headers.get("retry-after")) == (503, "60")
    assert publish(alice, pidf("3"), tag=tag).status == 200


def test_a_removed_line_leaves_nothing(house: House, alice: Phone) -> None:
    publish(alice, pidf("here"))
    house.exchange.apply_changes([LineRemoved("alice")], house.clock.now)
    assert_none_left(house)


def test_publications_live_through_a_restart(house: House, alice: Phone) -> None:
    first = publish(alice, pidf("1"), expires=600).headers.get("sip-etag") or ""
    publish(house.phone("alice", "192.0.2.11"), pidf("2"), expires=900)
    house.link.detach(EXCHANGE)
    state = {**house.journal.state, PUBLICATION_KEY + "x": b"junk"}
    again = town(state=state, seed=2, link=house.link)
    assert state_of(again, "alice") == pidf("2")
    assert len(kept(again)) == 2
    alice.house = again
    assert publish(alice, b"", tag=first).status == 200
    again.run(3700)
    assert_none_left(again)


def test_without_a_publication_a_registered_line_is_open(house: House, alice: Phone, bob: Phone) -> None:
    watch = Watch(bob, "alice")
    alice.register()
    house.run(6)
    assert [b"open" in body for body in watch.bodies()] == [False, True]
    house.run(700)
    assert b"closed" in watch.bodies()[-1]
