"""Calls between phones of different transports and families; a certificate that is replaced under a call."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from demo.exchange import HOST
from demo.free_ports import free_port
from demo.phone import Phone, PhoneError
from demo.phone_messages import CallState, MediaState, PhoneSettings
from sipp_scenarios.sipp import Sipp, SippRun, sipp_program
from switch.sip.host import host_port
from switch.sip.message import Response
from tests.wire.certificates import Authority
from tests.wire.phones.baresip import Baresip
from tests.wire.phones.browser import Browser
from tests.wire.phones.calling import connect, hang_up, header, hold, received, resume
from tests.wire.phones.linphone import PROGRAM as LINPHONE
from tests.wire.phones.linphone import Linphone, talk_hold_and_hang_up
from tests.wire.phones.records import records_of
from tests.wire.phones.town import PASSWORD, kill_part
from tests.wire.phones.transports_town import HOST_IPV6, NAME, TransportsTown
from tests.wire.test_edge_tls import shown_to_openssl

PhoneStarter = Callable[[PhoneSettings], Phone]
PAGE = "https://phone.example.co.uk"
BOB_DIALLED = "01632960002"
DAVE_DIALLED = "01632960004"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TransportsTown]:
    town = TransportsTown(tmp_path_factory.mktemp("transports"))
    main = town.conf / "offhook.toml"
    main.write_text(f'{main.read_text()}\n[websocket]\norigins = ["{PAGE}"]\npath = "/sip"\n')
    try:
        town.start()
        town.populate()
        yield town
    finally:
        town.stop()


@pytest.fixture
def wide(running: TransportsTown) -> Iterator[TransportsTown]:
    running.check_calls_over()
    yield running
    running.check_calls_over()


@pytest.fixture
def baresip(wide: TransportsTown) -> Iterator[Callable[[str, str], Baresip]]:
    phones: list[Baresip] = []

    def start(user: str, way: str) -> Baresip:
        ca_file = wide.authority.file if way.startswith("tls") else None
        phones.append(Baresip(wide, user, server=wide.server(way), way=way, ca_file=ca_file))
        phones[-1].start()
        return phones[-1]

    yield start
    for phone in phones:
        phone.stop()


@pytest.fixture
def linphone(wide: TransportsTown) -> Iterator[Callable[[str, str], Linphone]]:
    phones: list[Linphone] = []

    def start(user: str, way: str) -> Linphone:
        phones.append(Linphone(wide, user, transport=way, authority=wide.authority.file))
        phones[-1].start()
        phones[-1].register(wide.server(way))
        return phones[-1]

    yield start
    for phone in phones:
        phone.stop()


@pytest.fixture
def browser(wide: TransportsTown) -> Iterator[Callable[..., Browser]]:
    opened: list[Browser] = []

    def open_page(user: str, way: str, origin: str = PAGE) -> Browser:
        tls = wide.authority.client() if way == "wss" else None
        port = wide.ports[way]
        page = Browser(f"{way}://{HOST}:{port}/sip", user, PASSWORD, domain=HOST, tls=tls, origin=origin)
        opened.append(page)
        return page

    yield open_page
    for page in opened:
        page.close()


def ways_of(town: TransportsTown, sip_call_id: str) -> list[str]:
    """How caller and callee were reached, `transport:host`, as the records of their call say."""
    rows = records_of(town, sip_call_id, legs=2)
    flows = [row.source_address if row.leg == 0 else row.destination_address for row in rows]
    return [flow.rpartition(":")[0] for flow in flows]


@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        ("tls", "udp"),
        ("udp", "tls"),
        ("tls", "tls"),
        ("tls", "tcp"),
    ],
)
def test_a_call_is_made_held_resumed_and_ended(
    wide: TransportsTown, phone: PhoneStarter, caller: str, callee: str
) -> None:
    alice, bob = phone(wide.phone("alice", caller)), phone(wide.phone("bob", callee))
    alice.register()
    bob.register()
    call, theirs = connect(wide, alice, BOB_DIALLED, bob)
    call.wait_for_media(MediaState.ACTIVE)
    hold(call, theirs)
    resume(call, theirs)
    hang_up(call, theirs)

    assert ways_of(wide, call.sip_call_id) == [f"{way}:{HOST}" for way in (caller, callee)]
    [invite] = received(bob, "INVITE")[:1]
    assert (header(invite, "Via") or "").startswith(f"SIP/2.0/{callee.upper()} ")
    parameter = "" if callee == "udp" else f";transport={callee}"
    assert header(invite, "Contact") == f"<sip:{wide.server(callee)}{parameter}>"


@pytest.mark.skipif(sipp_program() is None, reason="sipp is not installed")
@pytest.mark.parametrize(("caller", "callee"), [(HOST_IPV6, HOST), (HOST, HOST_IPV6), (HOST_IPV6, HOST_IPV6)])
def test_a_call_between_ipv6_and_ipv4(wide: TransportsTown, tmp_path: Path, caller: str, callee: str) -> None:
    """SIPp at both ends; its bodies name IPv4, which is nobody's business here."""

    def sipp(xml: str, user: str, host: str, port: int, **keys: str) -> SippRun:
        settings = Sipp(
            xml=xml, port=port, exchange_port=wide.port, user=user, password=PASSWORD, keys=keys, host=host
        )
        return SippRun(settings, tmp_path)

    phone = free_port()
    with sipp("phone_registers", "bob", callee, phone) as registering:
        registering.finish()
    [binding] = wide.registrations("bob")
    assert binding["source"] == f"udp:{host_port(callee, phone)}"
    assert binding["is_behind_nat"] is False
    with sipp("callee_talks", "bob", callee, phone) as called:
        called.wait_until_bound()
        with sipp("caller_talks", "alice", caller, free_port(), dialled=BOB_DIALLED) as calling:
            calling.finish()
        called.finish()
    with sipp("phone_leaves", "bob", callee, phone) as leaving:
        leaving.finish()


@pytest.mark.skipif(shutil.which("baresip") is None, reason="baresip is not installed")
@pytest.mark.parametrize(("caller", "callee"), [("udp6", "tcp6"), ("tls6", "udp6"), ("tcp6", "tls6")])
def test_baresip_talks_over_ipv6(
    wide: TransportsTown, baresip: Callable[[str, str], Baresip], caller: str, callee: str
) -> None:
    carol, dave = baresip("carol", caller), baresip("dave", callee)
    carol.dial(DAVE_DIALLED)
    dave.wait_for("CALL_INCOMING")
    dave.accept()
    up = carol.wait_for("CALL_ESTABLISHED")
    dave.wait_for("CALL_ESTABLISHED")
    carol.hang_up()
    carol.wait_for("CALL_CLOSED")
    dave.wait_for("CALL_CLOSED")
    assert ways_of(wide, up.id) == [f"{way.removesuffix('6')}:[::1]" for way in (caller, callee)]


@pytest.mark.skipif(shutil.which("baresip") is None, reason="baresip is not installed")
@pytest.mark.parametrize(("caller", "callee"), [("tcp", "tls"), ("tls", "tcp")])
def test_baresip_holds_and_resumes_over_tcp_and_tls(
    wide: TransportsTown, baresip: Callable[[str, str], Baresip], caller: str, callee: str
) -> None:
    carol, dave = baresip("carol", caller), baresip("dave", callee)
    carol.dial(DAVE_DIALLED)
    dave.wait_for("CALL_INCOMING")
    dave.accept()
    up = carol.wait_for("CALL_ESTABLISHED")
    dave.wait_for("CALL_ESTABLISHED")
    for ask in (carol.hold, carol.resume):
        marks = carol.mark(), dave.mark()
        ask()
        for phone, mark in zip((carol, dave), marks, strict=True):
            phone.wait_for("CALL_REMOTE_SDP", after=mark)
    dave.hang_up()
    carol.wait_for("CALL_CLOSED")
    dave.wait_for("CALL_CLOSED")
    assert ways_of(wide, up.id) == [f"{way}:{HOST}" for way in (caller, callee)]


@pytest.mark.skipif(shutil.which(LINPHONE) is None, reason="linphone is not installed")
@pytest.mark.parametrize(("caller", "callee"), [("tls", "udp"), ("tcp", "tls"), ("tls", "tls")])
def test_linphone_holds_and_resumes_over_tls(
    wide: TransportsTown, linphone: Callable[[str, str], Linphone], caller: str, callee: str
) -> None:
    carol, dave = linphone("carol", caller), linphone("dave", callee)
    sources = [wide.registrations(user)[0]["source"] for user in ("carol", "dave")]
    assert [source.partition(":")[0] for source in sources] == [caller, callee]
    talk_hold_and_hang_up(carol, dave, DAVE_DIALLED)


def test_a_phone_that_does_not_believe_our_certificate_does_not_register(
    wide: TransportsTown, phone: PhoneStarter
) -> None:
    settings = wide.phone("alice", "tls")
    (wide.directory / "foreign").mkdir(exist_ok=True)
    stranger = Authority(wide.directory / "foreign")
    alice = phone(msgspec.structs.replace(settings, ca_file=str(stranger.file)))
    with pytest.raises(PhoneError):
        alice.register()


@pytest.mark.parametrize("way", ["ws", "wss"])
def test_a_browser_calls_a_phone_over_udp(
    wide: TransportsTown, phone: PhoneStarter, browser: Callable[..., Browser], way: str
) -> None:
    bob = phone(wide.phone("bob", "udp"))
    bob.register()
    alice = browser("alice", way)
    registered = alice.register()
    assert registered.status == 200
    [binding] = [each for each in wide.registrations("alice") if not each["is_dead"]]
    assert binding["source"].startswith(f"{way}:{HOST}:")

    mark = bob.mark()
    answers: list[Response] = []
    calling = threading.Thread(target=lambda: answers.append(alice.invite(BOB_DIALLED)))
    calling.start()
    theirs = bob.expect_call(after=mark)
    theirs.answer()
    calling.join()
    theirs.wait_for(CallState.CONFIRMED)
    (answer,) = answers
    assert answer.status == 200
    contact = answer.headers.get("contact")
    assert contact == f"<sip:{HOST}:{wide.ports[way]};transport=ws>"
    alice.hang_up(answer)
    theirs.wait_ended()


@pytest.mark.parametrize("way", ["ws", "wss"])
def test_a_phone_calls_a_browser_on_its_connection_whatever_its_contact_says(
    wide: TransportsTown, phone: PhoneStarter, browser: Callable[..., Browser], way: str
) -> None:
    alice = phone(wide.phone("alice", "udp"))
    alice.register()
    bob = browser("bob", way)
    assert bob.register().status == 200
    call = alice.dial(wide.uri(BOB_DIALLED))
    invite = bob.answer_call()
    assert invite.top_via.transport == way.upper()
    assert invite.uri == bob.contact.strip("<>")
    call.wait_for(CallState.CONFIRMED)
    call.hang_up()
    bob.expect_bye()
    call.wait_ended()


def test_a_certificate_is_replaced_under_a_call(wide: TransportsTown, phone: PhoneStarter) -> None:
    alice, bob = phone(wide.phone("alice", "tls")), phone(wide.phone("bob", "udp"))
    alice.register()
    bob.register()
    call, theirs = connect(wide, alice, BOB_DIALLED, bob)
    port = wide.ports["tls"]
    old = shown_to_openssl(port, NAME)
    wide.renew()
    wide.wait_until("new certificate", lambda: shown_to_openssl(port, NAME) != old)

    hold(call, theirs)
    resume(call, theirs)
    carol = phone(wide.phone("carol", "tls"))
    carol.register()
    theirs.hang_up()
    call.wait_ended()


def test_connections_over_tls_outlive_a_restart_of_the_switch(
    wide: TransportsTown, phone: PhoneStarter
) -> None:
    alice, bob = phone(wide.phone("alice", "tls")), phone(wide.phone("bob", "tls"))
    alice.register()
    bob.register()
    kill_part(wide, "switch", wide.is_serving_without)
    call, theirs = connect(wide, alice, BOB_DIALLED, bob)
    hang_up(call, theirs)
