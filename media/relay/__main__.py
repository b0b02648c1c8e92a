"""The relay process: `python -m media.relay --socket PATH --listen ADDRESS... --ports FIRST-LAST`. Wiring only.

It carries the sound of calls, so that they outlive a restart of the switch, which connects to its Unix socket. What it
listens on comes by the command line: what stands in offhook.toml is the switch's to read.
"""

import argparse
import gc
import ipaddress
import os
import random
import secrets
import sys
from pathlib import Path

import structlog

from media.relay.port_pool import ports_of
from media.relay.process import RelayProcess
from media.relay.switch_link import SwitchLink
from media.relay.tones import MusicProblem, RelayTones
from provisioning.descriptor_limit import raise_descriptor_limit
from provisioning.logs import configure_logs
from provisioning.socket_path import listen_at

EPOCH_BYTES = 4
EXIT_REFUSED = 1

log = structlog.get_logger("media.relay")


def main() -> int:
    arguments = _parse_arguments()
    configure_logs()
    os.umask(0o077)
    raise_descriptor_limit()
    mixed = random.SystemRandom()
    tones = RelayTones()
    try:
        tones.load_music(arguments.hold_music)
    except MusicProblem as problem:
        log.warning("hold_music_not_usable", file=str(arguments.hold_music), problem=str(problem))
    try:
        relay = RelayProcess(
            SwitchLink(listen_at(arguments.socket, "relay"), epoch=secrets.token_hex(EPOCH_BYTES)),
            tones,
            listen=arguments.listen,
            ports=arguments.ports,
            shuffle=mixed.shuffle,
            random_bits=mixed.getrandbits,
        )
        gc.freeze()
        relay.run()
    except OSError as problem:
        log.error("relay_cannot_listen", problem=str(problem))
        return EXIT_REFUSED
    arguments.socket.unlink(missing_ok=True)
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m media.relay", description="The media of calls")
    parser.add_argument("--socket", required=True, type=Path, help="Unix socket that the switch connects to")
    parser.add_argument(
        "--listen", required=True, nargs="+", type=_address, help="IPv4 and IPv6 addresses to bind"
    )
    parser.add_argument("--ports", required=True, type=ports_of, help='UDP ports, like "20000-29999"')
    parser.add_argument("--hold-music", type=Path, help="WAV file in place of the shipped music")
    return parser.parse_args()


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


if __name__ == "__main__":
    sys.exit(main())
