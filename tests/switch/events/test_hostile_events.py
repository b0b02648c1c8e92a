"""Whatever a line sends and whatever the link does, tables stay bounded, nothing breaks, and all ends."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switch.sip.message import Request
from tests.clock import HandClock
from tests.link import Link
from tests.switch.events.watcher import PIDF, Watch, pidf, publish, town
from tests.switch.house import DOMAIN, House, Phone

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=40)
ODD = st.sampled_from(
    (
        "", " ", "presence;id=\udcff", "presence;;", "reg;id=1", "*", "0", "-1", "1_0", "\u0661", "9" * 40,
        "message-summary", "presence", "60", "3600", "text/plain", PIDF, "active", "a,b", '"', "<",
    )
)  # fmt: skip
FIELDS = st.dictionaries(
    st.sampled_from(
        (
            "event", "expires", "accept", "sip-if-match", "content-type", "contact", "allow-events", "refer-to",
            "replaces", "referred-by", "refer-sub", "subscription-state", "content-encoding", "x-any",
        )
    ),
    ODD | TEXT,
    max_size=6,
)  # fmt: skip
METHODS = st.sampled_from(["SUBSCRIBE", "PUBLISH", "MESSAGE", "REFER", "NOTIFY"])
TARGETS = st.sampled_from(["alice", "bob", "carol", "nobody", "999", "01632960002", "%ff", "+44"])


def assert_sound(house: House) -> None:
    """The tables agree with each other and with the journal."""
    notifier, publications = house.exchange.events.notifier, house.exchange.events.publications
    count = len(notifier.subscriptions)
    assert count == sum(map(len, notifier._of_watcher.values())) == sum(map(len, notifier._watching.values()))
    assert count == sum(notifier.of_package.values())
    assert count == sum(key.startswith("s/") for key in house.journal.state)
    held = [publication for of_line in publications._of_line.values() for publication in of_line]
    assert len(held) == len(publications.by_tag) == sum(key.startswith("p/") for key in house.journal.state)
    assert sum(len(publication.content) for publication in held) == publications.bytes_held
    assert house.exchange.counts.bugs == 0


def assert_all_ends(house: House) -> None:
    house.run(3800)
    assert not house.exchange.events.notifier.subscriptions
    assert not house.exchange.events.publications.by_tag
    assert house.exchange.stack.transactions_count == 0
    assert_sound(house)
    house.assert_clean()


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(METHODS, TARGETS, FIELDS, st.binary(max_size=60))
def test_odd_requests_are_answered_and_break_nothing(
    method: str, target: str, fields: dict[str, str], body: bytes
) -> None:
    house = town()
    alice, bob = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.20")
    for phone in (alice, bob):
        phone.register()
    headers = alice._headers(method, f"<sip:{target}@{DOMAIN}>")
    for name, value in fields.items():
        headers.add(name, value)
    before = len(alice.statuses)
    request = Request(method, f"sip:{target}@{DOMAIN}", headers, body)
    alice.stack.send_request(request, alice.flow, alice, house.clock.now)
    house.run(1)
    assert len(alice.statuses) > before
    assert_sound(house)


@pytest.mark.parametrize("seed", range(4))
def test_over_a_bad_link_everything_is_told_in_the_end(seed: int) -> None:
    """Also that a NOTIFY which overtakes another is not believed to be the later one."""
    link = Link(HandClock(), seed=seed, loss=0.2, duplication=0.2, reorder=0.2)
    house = town(link=link)
    alice, bob = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.20")
    watch = settled(lambda: Watch(alice, "bob", expires=300), house)
    tag = ""
    for number in range(6):
        tag = settled(lambda: publish(bob, pidf(str(number)), tag=tag), house).headers.get("sip-etag") or ""  # noqa: B023
        house.run(20)
    house.run(30)
    last = max(watch.notifies(), key=lambda notify: notify.cseq.number)
    assert last.body == pidf("5")
    assert_sound(house)
    link.loss = link.duplication = link.reorder = 0.0
    assert_all_ends(house)


def settled(act, house: House):  # type: ignore[no-untyped-def]
    """Over such a link an answer takes its time: the helper's 0.3 s are stretched."""
    run = house.run
    house.run = lambda seconds: run(max(seconds, 12.0))  # type: ignore[method-assign]
    try:
        return act()
    finally:
        house.run = run  # type: ignore[method-assign]


def test_a_busy_town_comes_to_rest() -> None:
    house = town()
    phones: list[Phone] = [
        house.phone(user, f"192.0.2.{10 + n}") for n, user in enumerate(("alice", "bob", "carol"))
    ]
    random = Random(1)
    watches: list[Watch] = []
    for _ in range(120):
        phone = random.choice(phones)
        match random.randrange(6):
            case 0 | 1:
                watch = Watch(
                    phone, random.choice(("alice", "bob", "carol")), expires=random.choice((0, 60, 600))
                )
                watches += [watch] if watch.dialog is not None else []
            case 2 if watches:
                random.choice(watches).renew(random.choice((0, 60, 3600)))
            case 3:
                publish(phone, pidf(str(random.random())), expires=random.choice((60, 600)))
            case 4:
                phone.register(random.choice((0, 60, 600)))
            case _:
                house.run(random.choice((1, 5, 70)))
        assert_sound(house)
    assert_all_ends(house)


def test_a_fan_out_is_told_in_turn() -> None:
    """A line that very many watch does not hold everything up."""
    house = town()
    alice, bob = house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.20")
    watches = [Watch(alice, "bob") for _ in range(60)]
    house.run(10)
    house.exchange.events.notifier._free_at = house.clock.now
    sent_before = len(house.link.sent)
    publish(bob, pidf("news"))
    at = {
        round(datagram.sent_at, 3)
        for datagram in house.link.sent[sent_before:]
        if datagram.data.startswith(b"NOTIFY")
    }
    assert all(watch.bodies()[-1] == pidf("news") for watch in watches)
    assert len(at) == 60
    assert max(at) - min(at) == pytest.approx(59 / 500, abs=0.01)
