"""portal.toml: what it says, and what is wrong with it."""

from pathlib import Path

import pytest

from offhook.supervisor.conf_home import packaged_conf
from portal.conf import PortalConf, load_portal, source_of
from switch.conf_files import ConfProblems
from switch.conf_values import Address
from tests.wire.certificates import Authority


def problem(folder: Path, text: str) -> str:
    (folder / "portal.toml").write_text(text, "utf-8")
    with pytest.raises(ConfProblems) as found:
        load_portal(folder)
    return str(found.value)


def test_the_shipped_file_says_the_defaults_and_listens_on_this_machine_alone() -> None:
    conf = load_portal(packaged_conf())
    assert conf == PortalConf()
    assert conf.door.listen == Address("127.0.0.1", 8440)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '[portal]\nlisten = "0.0.0.0:8440"\n',
            "portal.toml:2: portal.listen: found 0.0.0.0:8440, where passwords",
        ),
        ('[portal]\nlisten = "8440"\n', "portal.toml:2: portal.listen: found"),
        ('[portal]\ncertificate = "a.pem"\n', "portal.certificate: found a certificate without a key"),
        ('[portal]\nkey = "a.pem"\n', "found a key without a certificate"),
        ('[portal]\ncertificate = "a.pem"\nkey = "b.pem"\n', "found a pair that cannot be used"),
        ('[portal]\nproxies = ["proxy"]\n', "expected an address without a port"),
        ('[portal]\nname = ""\n', "expected a text of one line"),
        ("[sessions]\nhours_max = 0\n", "sessions.hours_max: found 0, expected a whole number from 1 to 168"),
        ("[sessions]\nidle_minute = 5\n", "expected perhaps idle_minutes"),
        ("[portals]\n", "expected perhaps portal"),
        ("[portal\n", "portal.toml:1"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    assert words in problem(tmp_path, text)


def test_another_address_needs_a_certificate_that_can_be_used_or_a_proxy(tmp_path: Path) -> None:
    Authority(tmp_path).issue("portal", "portal.example.co.uk")
    text = '[portal]\nlisten = "192.0.2.1:443"\n'
    for more in ('certificate = "portal.pem"\nkey = "portal.key"\n', 'proxies = ["192.0.2.7"]\n'):
        (tmp_path / "portal.toml").write_text(text + more)
        assert load_portal(tmp_path).door.is_https
    (tmp_path / "portal.key").write_text("no key")
    assert "cannot be used" in problem(tmp_path, text + 'certificate = "portal.pem"\nkey = "portal.key"\n')


def test_one_place_is_an_ipv4_address_or_an_ipv6_network() -> None:
    assert source_of("192.0.2.7") == source_of("::ffff:192.0.2.7") == "192.0.2.7"
    assert source_of("2001:db8:1:2::9") == source_of("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert source_of("") == source_of("<script>") == "unknown"
