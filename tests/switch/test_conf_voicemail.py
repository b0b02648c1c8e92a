"""[voicemail]: how it is dialled, and what may not be its code."""

from pathlib import Path

import pytest

from switch.calls.number_plan import Emergency, ServiceCode, Unrecognised, read_dialled
from switch.calls.service_codes import Service, service_of
from switch.config import Conf
from tests.switch.conf_folder import ConfFolder


@pytest.fixture
def folder(tmp_path: Path) -> ConfFolder:
    return ConfFolder(tmp_path)


def load(folder: ConfFolder, section: str) -> Conf:
    folder.write("offhook.toml", f"[voicemail]\n{section}\n")
    return folder.load()


def dialled(conf: Conf, text: str) -> Service | None:
    return service_of(read_dialled(text, conf.routing.plan).destination, conf)


def test_as_shipped_it_is_1571(folder: ConfFolder) -> None:
    conf = folder.load()
    assert dialled(conf, "1571") is Service.OWN_MAILBOX
    assert dialled(conf, "1571#") is Service.OWN_MAILBOX
    assert dialled(conf, "1471") is None
    assert dialled(conf, "01632960099") is None


def test_any_short_digits_or_a_star_code_will_do(folder: ConfFolder) -> None:
    conf = load(folder, 'code = "121"')
    assert read_dialled("121", conf.routing.plan).destination == ServiceCode("", "121", ())
    assert dialled(conf, "121") is Service.OWN_MAILBOX
    assert dialled(conf, "1571") is None
    assert dialled(load(folder, 'code = "*98"'), "*98#") is Service.OWN_MAILBOX
    assert dialled(load(folder, 'code = ""'), "1571") is None
    # nothing else has changed
    assert isinstance(read_dialled("121", folder_without(folder).routing.plan).destination, Unrecognised)
    assert read_dialled("999", conf.routing.plan).destination == Emergency("999")


def folder_without(folder: ConfFolder) -> Conf:
    return load(folder, "")


def test_access_numbers_are_written_as_people_do(folder: ConfFolder) -> None:
    conf = load(folder, 'access_numbers = ["01632 960099", "+44 20 7946 0199"]')
    for text in ("01632960099", "+441632960099", "02079460199"):
        assert dialled(conf, text) is Service.ANY_MAILBOX
    assert dialled(conf, "01632960098") is None


def test_without_voicemail_nothing_leads_there(folder: ConfFolder) -> None:
    conf = load(folder, 'sip = ""\naccess_numbers = ["01632 960099"]')
    assert conf.voicemail.sip is None
    assert (dialled(conf, "1571"), dialled(conf, "01632960099")) == (None, None)


@pytest.mark.parametrize(
    "line",
    [
        'code = "999"', 'code = "112"', 'code = "141"', 'code = "1470"', 'code = "18001"', 'code = "0157"',
        'code = "1"', 'code = "1571571"', 'code = "#98"', 'code = "*"', 'code = "15 71"', 'code = "\u0661\u0662"',
        "code = 1571", 'access_numbers = ["1571"]', "access_numbers = [1632960099]", 'access_numbers = ["x"]',
        'sip = "localhost:5070"', 'sip = "127.0.0.1"', "announcements_max = -1", 'announcements_max = "50"',
    ],
)  # fmt: skip
def test_what_cannot_be_is_named_with_its_line(folder: ConfFolder, line: str) -> None:
    folder.write("offhook.toml", f"[voicemail]\n{line}\n")
    (problem,) = folder.problems()
    assert problem.startswith("offhook.toml:2: voicemail.")
