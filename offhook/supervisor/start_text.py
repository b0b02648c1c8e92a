"""What `offhook up` says once everything runs: where it listens, where its data is, what to type next."""

import shlex
from pathlib import Path

from offhook.paths import default_data_dir
from offhook.supervisor.exchange import UpPlan
from switch.conf_files import ConfProblems

NO_DOMAINS = "any of its own addresses"


def start_text(plan: UpPlan) -> str:
    """Some twenty lines for a newcomer; an operator's log keeps them as the mark of a start."""
    conf = plan.conf
    listen = conf.listen
    listening = [
        f"{transport} {address}"
        for transport, addresses in (
            ("udp", listen.udp), ("tcp", listen.tcp), ("tls", listen.tls), ("ws", listen.ws), ("wss", listen.wss),
        )
        for address in addresses
    ]  # fmt: skip
    database = "your own PostgreSQL" if plan.dsn else f"embedded PostgreSQL in {plan.data.postgres}"
    facts = [
        ("SIP", ", ".join(listening)),
        ("domains", ", ".join(str(domain) for domain in conf.exchange.domains) or NO_DOMAINS),
        ("data", str(plan.data.root)),
        ("configuration", str(plan.conf_dir)),
        ("database", database),
    ]
    if conf.listen.metrics is not None:
        facts.append(("metrics", f"http://{conf.listen.metrics}/metrics"))
    if portal := _portal(plan.conf_dir):
        facts.append(("portal", f"{portal}, for whom `offhook staff add` lets in"))
    lines = ["", "Offhook is up.", ""]
    lines += [f"  {name:<15}{value}" for name, value in facts]
    where = "" if plan.data.root == default_data_dir() else f" --data {shlex.quote(str(plan.data.root))}"
    lines += [
        "",
        "A first account and line, from another terminal:",
        "",
        f"  offhook account add anna --prepaid --credit 10.00{where}",
        f"  offhook line add 1001 --account anna{where}",
        f"  offhook status{where}",
        "",
        "Ctrl-C ends it cleanly.",
        "",
    ]
    return "\n".join(lines)


def _portal(conf_dir: Path) -> str:
    """Where its pages are, "" where there are none. What is wrong with its file is said by the portal itself."""
    from portal.conf import PORTAL_FILE, load_portal  # noqa: PLC0415 - not every exchange has one

    if not (conf_dir / PORTAL_FILE).exists():
        return ""
    try:
        door = load_portal(conf_dir).door
    except ConfProblems:
        return ""
    if door.listen is None:
        return ""
    return f"{'https' if door.certificate else 'http'}://{door.listen}/"
