"""[media] of offhook.toml, and what the relay is started with by it."""

from pathlib import Path

import msgspec
import pytest

from offhook.paths import DataDir
from offhook.supervisor.plans import browser_plan, relay_plan
from switch.conf_files import ConfProblems, open_conf_file
from switch.conf_media import Media, PortRange, read_media
from switch.conf_values import Address
from switch.config import load_conf, settings_needing_restart


def media(folder: Path, text: str) -> Media:
    (folder / "offhook.toml").write_text("[media]\n" + text)
    main = open_conf_file(folder, "offhook.toml")
    read = read_media(main)
    if main.problems:
        raise ConfProblems(main.in_order())
    return read


def test_both_families_and_what_they_are_told(tmp_path: Path) -> None:
    read = media(
        tmp_path,
        'listen = ["192.0.2.1", "2001:DB8::1"]\nadvertised = ["203.0.113.7"]\nports = "30000-30099"\n',
    )
    assert read.listen == ("192.0.2.1", "2001:db8::1")
    assert read.ports == PortRange(30_000, 30_099)
    assert (read.advertised_in(is_ipv6=False), read.advertised_in(is_ipv6=True)) == ("203.0.113.7", "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("listen = []", "media.listen: found no address"),
        ('listen = ["phone.example.com"]', "media.listen: found"),
        ('listen = ["192.0.2.1:5000"]', "media.listen: found"),
        ('listen = ["fe80::1"]', "media.listen: found"),
        ('listen = ["192.0.2.1", "192.0.2.1"]', "media.listen: found"),
        ('advertised = ["192.0.2.1", "192.0.2.2"]', "expected one IPv4 address"),
        ('ports = "20000"', "media.ports: found"),
        ('ports = "1000-2000"', "media.ports: found"),
        ("ports = 20000", "media.ports: found"),
        ('browser_ports = "80-90"', "media.browser_ports: found"),
        ("browsers = 1", "media.browsers: found 1, expected true or false"),
        ('hold_music = "waltz"', "media.hold_music: found"),
        ('hold_music = "waltz.mp3"', "media.hold_music: found"),
        ("hold_music = true", "media.hold_music: found"),
        ("relay = 1", "media.relay: found 1, expected true or false"),
        ('bypass = "yes"', "media.bypass: found"),
        ("silence_timeout_s = 3601", "from 0 to 3600"),
        ("silence_timeout = 30", "perhaps silence_timeout_s"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfProblems) as found:
        media(tmp_path, text + "\n")
    assert problem in "\n".join(str(one) for one in found.value.problems)


def test_no_relay_needs_no_address(tmp_path: Path) -> None:
    assert not media(tmp_path, "relay = false\nlisten = []\n").relay


def test_the_relay_is_started_with_what_is_configured(tmp_path: Path) -> None:
    plan = relay_plan(DataDir(tmp_path), tmp_path, Media(listen=("192.0.2.1", "2001:db8::1")), voicemail=None)
    assert plan.command[1:] == [
        "-P", "-m", "media.relay", "--socket", str(tmp_path / "run" / "relay.sock"),
        "--listen", "192.0.2.1", "2001:db8::1", "--ports", "20000-29999",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("hold_music", "told"), [("music", []), ("", []), ("own.wav", ["own.wav"]), ("/srv/own.WAV", ["/srv/own.WAV"])]
)
def test_the_relay_is_told_of_the_operators_music(tmp_path: Path, hold_music: str, told: list[str]) -> None:
    read = media(tmp_path, f'hold_music = "{hold_music}"\n')
    command = relay_plan(DataDir(tmp_path), tmp_path, read, voicemail=None).command
    assert command[command.index("20000-29999") + 1 :] == (
        ["--hold-music", str(tmp_path / told[0])] if told else []
    )


def test_the_browsers_process_is_started_with_what_is_configured(tmp_path: Path) -> None:
    plan = browser_plan(DataDir(tmp_path), Media(listen=("192.0.2.1", "2001:db8::1")))
    assert plan.command[1:] == [
        "-P", "-m", "media.browser", "--socket", str(tmp_path / "run" / "browser.sock"),
        "--listen", "192.0.2.1", "2001:db8::1", "--ports", "30000-30999",
    ]  # fmt: skip


def test_browsers_have_ports_of_their_own_where_there_can_be_browsers(tmp_path: Path) -> None:
    text = 'ports = "30000-39999"\n'
    assert media(tmp_path, text).ports.first == 30_000
    with pytest.raises(ConfProblems) as found:
        media(tmp_path, text + '[listen]\nws = ["127.0.0.1:8080"]\n')
    assert "media.browser_ports: found 30000-30999" in "\n".join(str(one) for one in found.value.problems)


def test_only_what_the_relay_is_started_with_needs_a_restart() -> None:
    conf = load_conf(Path(__file__).parents[2] / "conf")

    def changed(**what: object) -> list[str]:
        return settings_needing_restart(conf, msgspec.structs.replace(conf, media=Media(**what)))

    assert changed(silence_timeout_s=60, bypass=True, advertised=("203.0.113.7",), hold_music="") == []
    assert changed(ports=PortRange(30_000, 30_099)) == changed(relay=False) == ["media"]
    assert changed(hold_music="own.wav") == ["media"]
    assert changed(browser_ports=PortRange(31_000, 31_099)) == changed(browsers=False) == ["media"]


@pytest.mark.parametrize(
    ("listen", "told"),
    [
        (("0.0.0.0",), ["0.0.0.0"]),
        (("192.0.2.1",), ["192.0.2.1", "127.0.0.1"]),
        (("192.0.2.1", "127.0.0.1"), ["192.0.2.1", "127.0.0.1"]),
        (("::",), ["::", "127.0.0.1"]),
    ],
)
def test_voicemail_on_this_machine_is_reached_whatever_is_listened_on(
    tmp_path: Path, listen: tuple[str, ...], told: list[str]
) -> None:
    plan = relay_plan(DataDir(tmp_path), tmp_path, Media(listen=listen), voicemail=Address("127.0.0.1", 5070))
    at = plan.command.index("--listen") + 1
    assert plan.command[at : plan.command.index("--ports")] == told
