"""[voicemail] as the server reads it: problems by file, line and key, and which address of the switch it believes."""

from pathlib import Path

import pytest

from switch.conf_edge import Listen
from switch.conf_files import ConfProblems
from switch.conf_values import Address
from switch.conf_voicemail import Voicemail, load_voicemail_conf, switch_addresses


def load(folder: Path, *lines: str) -> Voicemail:
    (folder / "offhook.toml").write_text("\n".join(["[voicemail]", *lines]))
    return load_voicemail_conf(folder)


# what stands there                                              -> key with the problem
MISTAKES = """
sip = "0.0.0.0:5070"                                                voicemail.sip
sip = "5070"                                                        voicemail.sip
message_max_s = 5                                                   voicemail.message_max_s
retention_day = 3                                                   voicemail.retention_day
smtp_host = "mail.example.co.uk"                                    voicemail.smtp_from
smtp_from = "nobody"                                                voicemail.smtp_from
smtp_starttls = "always"                                            voicemail.smtp_starttls
smtp_user = "vm"                                                    voicemail.smtp_password
smtp_password = "secret"                                            voicemail.smtp_starttls
"""


@pytest.mark.parametrize("row", MISTAKES.strip().split("\n"))
def test_a_mistake_is_named_with_its_key(tmp_path: Path, row: str) -> None:
    line, key = row.rsplit(maxsplit=1)
    with pytest.raises(ConfProblems) as raised:
        load(tmp_path, line.strip())
    problem = raised.value.problems[0]
    assert (problem.file, problem.key) == ("offhook.toml", key)
    assert "secret" not in str(problem)


def test_voicemail_and_the_code_may_be_switched_off(tmp_path: Path) -> None:
    conf = load(tmp_path, 'sip = ""', 'code = ""')
    assert (conf.sip, conf.code) == (None, "")


# listen.udp                                 voicemail.sip         -> where the switch calls from
SWITCHES = """
0.0.0.0:5060                                 127.0.0.1:5070        127.0.0.1:5060
192.0.2.1:5060                               127.0.0.1:5070        192.0.2.1:5060
192.0.2.1:5060 127.0.0.1:5062                127.0.0.1:5070        127.0.0.1:5062 192.0.2.1:5060
[::]:5060                                    127.0.0.1:5070        -
[::]:5060 0.0.0.0:5060                       [::1]:5070            [::1]:5060
"""


@pytest.mark.parametrize("row", SWITCHES.strip().split("\n"))
def test_the_switch_is_believed_at_the_addresses_that_it_calls_from(row: str) -> None:
    def address(text: str) -> Address:
        host, _, port = text.rpartition(":")
        return Address(host.strip("[]"), int(port))

    words = row.split()
    place = next(at for at, word in enumerate(words) if word.endswith(":5070"))
    listen = Listen(udp=tuple(map(address, words[:place])))
    found = switch_addresses(Voicemail(sip=address(words[place])), listen)
    assert (" ".join(map(str, found)) or "-").split() == words[place + 1 :]
