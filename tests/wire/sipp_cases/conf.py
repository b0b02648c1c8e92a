"""The exchange's configuration: a trunk and a route for each case.

Carriers are at addresses of their own, so that no phone is ever taken for one: those that call at any port of
127.0.0.2, those that are called at 127.0.0.3.
"""

from collections.abc import Sequence
from pathlib import Path

from sipp_scenarios.exchange import ExchangeConf

CALLING_CARRIERS = "127.0.0.2"
CALLED_CARRIERS = "127.0.0.3"
REGISTER_KEY = "register"  # of a trunk, once trunks can


class CasesConf(ExchangeConf, frozen=True, kw_only=True):
    """A trunk and a route for each case, and one trunk for all carriers that call. `registering` are case numbers."""

    trunk_ports: Sequence[int]
    registering: Sequence[int]
    carrier_username: str
    carrier_password: str

    def write(self, folder: Path) -> None:
        super().write(folder)
        trunks = [
            f'[trunk.carriers]\naddresses = ["{CALLING_CARRIERS}:5060"]\nsources = ["{CALLING_CARRIERS}"]\n'
        ]
        passwords, routes = [], []
        for index, port in enumerate(self.trunk_ports):
            registers = f"{REGISTER_KEY} = true\n" if index in self.registering else ""
            trunks.append(
                f'[trunk.case_{index}]\naddresses = ["{CALLED_CARRIERS}:{port}"]\n'
                f'username = "{self.carrier_username}"\n{registers}'
            )
            passwords.append(f'[trunk.case_{index}]\npassword = "{self.carrier_password}"\n')
            routes.append(f'"{outside_number(index)}" = ["case_{index}"]')
        (folder / "trunks.toml").write_text("\n".join(trunks), encoding="utf-8")
        (folder / "trunk_secrets.toml").write_text("\n".join(passwords), encoding="utf-8")
        (folder / "trunk_secrets.toml").chmod(0o600)
        text = "\n".join(["[emergency]", 'trunks = ["carriers"]', "", "[routes]", *routes, ""])
        (folder / "routing.toml").write_text(text, encoding="utf-8")


def outside_number(index: int) -> str:
    return f"+441632960{index:03}"


def ddi_number(index: int) -> str:
    return f"+442079460{index:03}"
