"""The voicemail server: `python -m voicemail --data DIR --conf DIR --switch HOST:PORT`. Wiring only.

It answers requests from the addresses of --switch alone: the switch has authenticated who may hear a mailbox. The first
one is told how many messages wait. What else it needs stands in [voicemail] of offhook.toml.
"""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog
import uvloop

from media.music.library import FOLDER as MUSIC_FOLDER
from media.music.library import MusicLibrary
from media.prompts.catalogue import Catalogue
from media.prompts.own_recordings import FOLDER
from provisioning.logs import configure_logs
from switch.conf_files import ConfProblems
from switch.conf_values import Address, Expected, read_address
from switch.conf_voicemail import Voicemail, load_voicemail_conf
from voicemail.process import VoicemailProcess

EXIT_REFUSED = 1
EXIT_INVALID = 2
# Times are spoken as the owner of a British line reads them from the clock.
ZONE = ZoneInfo("Europe/London")

log = structlog.get_logger("voicemail")


def main() -> int:
    arguments = _parse_arguments()
    configure_logs()
    os.umask(0o077)
    try:
        conf = load_voicemail_conf(arguments.conf)
    except ConfProblems as problems:
        log.error("voicemail_conf_invalid", problems=[str(problem) for problem in problems.problems])
        return EXIT_INVALID
    if conf.sip is None:
        log.error("voicemail_switched_off", key="voicemail.sip")
        return EXIT_INVALID
    try:
        uvloop.run(_serve(arguments.data, conf, arguments.conf, arguments.switch))
    except OSError as problem:
        log.error("voicemail_cannot_listen", sip=str(conf.sip), problem=str(problem))
        return EXIT_REFUSED
    return 0


async def _serve(data: Path, conf: Voicemail, conf_dir: Path, switches: list[Address]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    catalogue = Catalogue(conf_dir / FOLDER)
    for unused in catalogue.problems:
        log.warning("voicemail_prompt_unused", file=unused.file, reason=unused.reason)
    music = MusicLibrary(conf_dir / MUSIC_FOLDER)
    for unused in music.problems:
        log.warning("voicemail_music_unused", file=unused.file, reason=unused.reason)
    process = VoicemailProcess(data, conf, switches, catalogue=catalogue, music=music, zone=ZONE)
    await process.start()
    await stop.wait()
    await process.stop()


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m voicemail", description="Voicemail and announcements.")
    parser.add_argument("--data", type=Path, required=True, help="the exchange's data directory")
    parser.add_argument("--conf", type=Path, required=True, help="the operator's configuration directory")
    parser.add_argument(
        "--switch",
        type=_address,
        action="append",
        required=True,
        help="HOST:PORT that requests of the switch come from; several times for several",
    )
    return parser.parse_args()


def _address(text: str) -> Address:
    try:
        return read_address(text)
    except Expected as problem:
        raise argparse.ArgumentTypeError(f"expected {problem.expected}") from None


if __name__ == "__main__":
    sys.exit(main())
