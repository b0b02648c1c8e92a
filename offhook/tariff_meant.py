"""Which tariff is meant by what somebody typed: NAME as conf/ has it, NAME@VERSION as it once was, or a file."""

from pathlib import Path

import msgspec

from offhook.exit_codes import CommandError, ExitCode
from provisioning.rerating.repricing import Choice
from rating.money import VatMode
from rating.tariff import Tariff, TariffProblems
from switch.conf_files import TARIFF_BYTES_MAX, UnreadableFile, read_text
from switch.conf_tariffs import read_tariff_text
from switch.config import Conf

VERSION_MARK = "@"
PROBLEMS_SHOWN = 20


class Meant(msgspec.Struct, frozen=True):
    """`text` is the whole text of a tariff that is at hand, "" of one that only the books have."""

    name: str
    version: str
    vat: VatMode | None
    tariff: Tariff | None = None
    text: str = ""

    @property
    def choice(self) -> Choice:
        return Choice(self.name, self.version, self.vat, tariff=self.tariff)


def tariff_meant(typed: str, conf: Conf, folder: Path, vat: VatMode | None = None) -> Meant:
    """`folder` is where `conf` was read. `vat` is for a file of a tariff that it does not know. Raises CommandError."""
    name, mark, version = typed.partition(VERSION_MARK)
    if mark:
        known = conf.tariffs.get(name)
        return Meant(name, version, vat if known is None else known.vat)
    if typed in conf.tariffs:
        tariff = conf.tariffs[typed]
        return Meant(typed, tariff.version, tariff.vat, tariff, text_of(typed, conf))
    path = Path(typed)
    if not path.is_file():
        names = ", ".join(sorted(conf.tariffs)) or "there is none"
        raise CommandError(
            f"{typed[:60]!r} is neither a tariff ({names}), nor NAME@VERSION, nor a file", ExitCode.INVALID
        )
    return _from_file(path, conf, folder, vat)


def text_of(name: str, conf: Conf) -> str:
    """All that the tariff of this name is made of."""
    return next(text.content for text in conf.versions if text.kind == "tariff" and text.name == name)


def _from_file(path: Path, conf: Conf, folder: Path, vat: VatMode | None) -> Meant:
    name = path.stem
    known = conf.tariffs.get(name)
    mode = vat or (None if known is None else known.vat)
    if mode is None:
        raise CommandError(f"{path}: say --inc-vat or --ex-vat, as no file can say it", ExitCode.INVALID)
    try:
        tariff, text = read_tariff_text(folder, name, read_text(path, bytes_max=TARIFF_BYTES_MAX), mode)
    except UnreadableFile as unreadable:
        raise CommandError(f"{path}: {unreadable}", ExitCode.INVALID) from None
    except TariffProblems as found:
        lines = "\n".join(f"{path}: {problem}" for problem in found.problems[:PROBLEMS_SHOWN])
        raise CommandError(f"the tariff is not valid:\n{lines}", ExitCode.INVALID) from None
    return Meant(name, tariff.version, mode, tariff, text)
