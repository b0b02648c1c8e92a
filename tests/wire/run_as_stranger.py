"""Becomes a user who owns nothing, runs an exchange in a directory of its own and adds an account.

A program for test_supervisor: giving root away cannot be undone within one process.
"""

import json
import os
import pwd
import shutil
import sys
import tempfile
from pathlib import Path

from demo.free_ports import free_ports
from sipp_scenarios.exchange import ExchangeConf, RunningExchange


def main() -> int:
    nobody = pwd.getpwnam("nobody")
    root = Path(tempfile.mkdtemp(prefix="offhook-stranger-"))
    os.chown(root, nobody.pw_uid, nobody.pw_gid)
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        os._exit(run(root))
    _, status = os.waitpid(child, 0)
    shutil.rmtree(root)
    return os.waitstatus_to_exitcode(status)


def run(root: Path) -> int:
    os.environ["HOME"] = str(root)
    sip_port, metrics_port, carrier_port = free_ports(3)
    conf = ExchangeConf(sip_port=sip_port, metrics_port=metrics_port, carrier_port=carrier_port)
    exchange = RunningExchange(root, conf)
    exchange.start()
    try:
        added = exchange.command("account", "add", "anna")
        owner = os.stat(exchange.data / "postgres").st_uid
        sys.stdout.write(json.dumps({"kind": added["account"]["kind"]}))
        sys.stdout.flush()
        return 0 if owner == os.geteuid() and exchange.stop() == 0 else 1
    finally:
        exchange.kill()


if __name__ == "__main__":
    sys.exit(main())
