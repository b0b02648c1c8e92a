"""A folder of configuration files for tests: a copy of what is shipped, to be changed file by file."""

import shutil
from pathlib import Path

import pytest

from switch.config import Conf, ConfProblems, load_conf

SHIPPED = Path(__file__).parents[2] / "conf"

TRUNKS = """
[trunk.carrier_a]
addresses = ["203.0.113.7:5060", "203.0.113.8:5080"]

[trunk.carrier_b]
addresses = ["198.51.100.1:5060"]
transport = "tcp"
sources = ["198.51.100.0/28", "198.51.100.77", "192.0.2.9:5070"]
username = "offhook42"
realm = "carrier-b.example"
from_domain = "SIP.Example.co.uk"
number_format = "national"
inbound_number_format = "e164"
identity = "rpid"
pass_headers = ["X-Customer-Reference"]
failover_codes = [408, 503, "6xx"]
answer_timeout_s = 3
calls_max = 30
"""
SECRETS = """
[trunk.carrier_b]
password = "not a real one"
"""
ROUTING = """
[plan]
area_code = "01632"
extra_short_codes = ["150"]

[ranges]
"0842" = "not_in_use"

[emergency]
trunks = ["carrier_b", "carrier_a"]

[extra_emergency_numbers]
"911" = "999"

[routes]
"+" = ["carrier_a"]
"+44" = ["carrier_a", "carrier_b"]
"+4498" = []
"118" = ["carrier_a"]
"""


class ConfFolder:
    """The copy at `path`."""

    def __init__(self, tmp_path: Path) -> None:
        self.path = tmp_path / "conf"
        shutil.copytree(SHIPPED, self.path)

    def write(self, name: str, text: str) -> None:
        """Replace one file."""
        path = self.path / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600 if name == "trunk_secrets.toml" else 0o644)

    def write_two_trunks(self) -> None:
        self.write("trunks.toml", TRUNKS)
        self.write("trunk_secrets.toml", SECRETS)
        self.write("routing.toml", ROUTING)

    def load(self) -> Conf:
        return load_conf(self.path)

    def problems(self) -> list[str]:
        """Everything that is wrong, as an operator reads it."""
        return problems_of(self.path)


def problems_of(path: Path) -> list[str]:
    with pytest.raises(ConfProblems) as caught:
        load_conf(path)
    return [str(problem) for problem in caught.value.problems]
