"""Where the configuration is, and a first one when there is none.

A fresh data directory gets a copy of the commented files that come with offhook; after that they are the
operator's and never touched again.
"""

import shutil
from pathlib import Path

import offhook
from offhook.exit_codes import CommandError, ExitCode
from offhook.paths import DataDir

MAIN_FILE = "offhook.toml"


def packaged_conf() -> Path:
    """The default files: inside the installed package, or beside it in a working copy."""
    package = Path(offhook.__file__).parent
    for place in (package / "default_conf", package.parent / "conf"):
        if (place / MAIN_FILE).is_file():
            return place
    text = f"the default configuration is missing from {package}: reinstall offhook"
    raise CommandError(text, ExitCode.INVALID)


def conf_dir_for(data: DataDir, *, named: Path | None) -> Path:
    """The directory to run with.

    Copies the default files to DATA/conf when nothing was named and nothing is there.
    """
    if named is not None:
        chosen = named.expanduser().absolute()
        if not (chosen / MAIN_FILE).is_file():
            text = f"{chosen} has no {MAIN_FILE}: it is no configuration directory"
            raise CommandError(text, ExitCode.INVALID)
        return chosen
    if not (data.conf / MAIN_FILE).is_file():
        _copy_default(data.conf)
    return data.conf


def _copy_default(target: Path) -> None:
    """Into a neighbour first, then one rename: a half copy is never taken for an operator's choice."""
    making = target.with_name(target.name + ".making")
    shutil.rmtree(making, ignore_errors=True)
    shutil.copytree(packaged_conf(), making, copy_function=shutil.copyfile)
    if target.exists():  # the operator made it and left out the main file; fill in what is missing only
        for source in making.rglob("*"):
            place = target / source.relative_to(making)
            if source.is_dir():
                place.mkdir(exist_ok=True)
            elif not place.exists():
                shutil.copyfile(source, place)
        shutil.rmtree(making)
        return
    making.rename(target)
