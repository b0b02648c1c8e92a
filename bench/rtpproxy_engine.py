"""RTPProxy's engine for the media bench, by the wheel rtp.io, in the environment of its own that has it.

    build/rtpproxy/venv/bin/python -m bench.rtpproxy_engine < calls.json

Standard input has one JSON list: [[caller's port, callee's port], ...]. Prints the ports that the two are to send to,
as one JSON list in the same order, and runs until SIGTERM. Its own command protocol, on 127.0.0.1.
"""

import json
import os
import signal
import sys

from rtp.io import rtpproxy  # type: ignore[import-not-found]

REPLY_S = 5.0


def main() -> None:
    calls = json.load(sys.stdin)
    answers = os.dup(1)
    os.dup2(2, 1)  # it logs to standard output
    engine = rtpproxy()
    commands = engine.rtpp_sock
    commands.settimeout(REPLY_S)

    def ask(command: str) -> int:
        commands.send(command.encode() + b"\n")
        return int(commands.recv(1000).split()[0])

    ports = []
    for number, (caller, callee) in enumerate(calls):
        for_callee = ask(f"U call{number} 127.0.0.1 {caller} from")
        for_caller = ask(f"L call{number} 127.0.0.1 {callee} from to")
        ports.append([for_caller, for_callee])
    os.write(answers, json.dumps(ports).encode() + b"\n")
    signal.pause()


if __name__ == "__main__":
    main()
