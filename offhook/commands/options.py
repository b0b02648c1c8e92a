"""The options that every command has, and what they mean together: which exchange, which configuration."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offhook.exit_codes import CommandError, ExitCode
from offhook.output import print_error
from offhook.paths import DataDir, default_data_dir
from provisioning.printable import shorten
from provisioning.settings import AccountSettings, LineSettings
from provisioning.settings_text import shown_settings
from rating.money import MoneyProblem, parse_pounds
from switch.conf_files import ConfProblem, ConfProblems

if TYPE_CHECKING:
    from switch.config import Conf

WHOLE_NUMBER_MAX = 999_999_999

_DIGITS = re.compile("[0-9]{1,9}")

DataOption = Annotated[
    Path | None,
    typer.Option("--data", envvar="OFFHOOK_DATA", help="The exchange's data directory.", show_default=False),
]
ConfOption = Annotated[
    Path | None,
    typer.Option(
        "--conf",
        envvar="OFFHOOK_CONF",
        help="The configuration directory (default: DATA/conf).",
        show_default=False,
    ),
]
DsnOption = Annotated[
    str,
    typer.Option(
        "--dsn",
        envvar="OFFHOOK_DSN",
        help="A PostgreSQL of your own, as postgresql://user@host/database (default: the embedded one).",
        show_default=False,
        show_envvar=True,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SettingsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings; see below.", show_default=False)
]


def whole_number(*, least: int = 0, most: int = WHOLE_NUMBER_MAX) -> Callable[[str | int], int]:
    """A parser for an option: ASCII digits alone, where int() would take "1_0", "+1" and other scripts' digits, too."""

    def parse(text: str | int) -> int:
        # A default comes as the number it is.
        if isinstance(text, str) and _DIGITS.fullmatch(text) is None:
            raise typer.BadParameter(f"{shorten(text)!r} is not a whole number.")
        if not least <= int(text) <= most:
            raise typer.BadParameter(f"{text} is not from {least} to {most}.")
        return int(text)

    return parse


def data_dir(named: Path | None) -> DataDir:
    return DataDir(named if named is not None else default_data_dir())


def conf_dir(data: DataDir, named: Path | None) -> Path:
    """The one named, else the one the exchange on this data directory was started with."""
    return named.expanduser().absolute() if named is not None else data.conf_in_force()


def load_conf_or_fail(directory: Path) -> "Conf":
    """Raises CommandError with every problem, one a line."""
    from switch.config import load_conf  # noqa: PLC0415 - a third of what most commands cost, and they never come here

    try:
        return load_conf(directory)
    except ConfProblems as found:
        lines = "\n".join(problem_text(directory, problem) for problem in found.problems)
        raise CommandError(f"the configuration is not valid:\n{lines}", ExitCode.INVALID) from None
    except OSError as problem:
        text = f"{directory} cannot be read: {problem.strerror or problem}"
        raise CommandError(text, ExitCode.INVALID) from None


def problem_text(directory: Path, problem: ConfProblem) -> str:
    """With the whole path, so that an editor can jump to it."""
    return str(directory / str(problem))


def pounds(text: str, option: str) -> int:
    """Micros from what was typed for `option`."""
    try:
        return parse_pounds(text)
    except MoneyProblem as problem:
        raise CommandError(f"{option}: {problem}", ExitCode.INVALID) from None


def settings_text(settings: LineSettings | AccountSettings) -> str:
    """What has not its default, each as it would be typed."""
    return "; ".join(f"{key}={value}" for key, value in shown_settings(settings)) or "as for everybody"


def warn(text: str) -> None:
    print_error(f"warning: {text}")
