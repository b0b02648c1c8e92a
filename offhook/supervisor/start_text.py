"""What `offhook up` says once everything runs: where it listens, where its data is, what to type next."""

import shlex

from offhook.paths import default_data_dir
from offhook.supervisor.exchange import UpPlan

NO_DOMAINS = "any of its own addresses"


def start_text(plan: UpPlan) -> str:
    """Some fifteen lines for a newcomer; an operator's log keeps them as the mark of a start."""
    conf = plan.conf
    listening = [f"udp {address}" for address in conf.listen.udp] + [
        f"tcp {address}" for address in conf.listen.tcp
    ]
    database = "your own PostgreSQL, by --dsn" if plan.dsn else f"embedded PostgreSQL in {plan.data.postgres}"
    facts = [
        ("SIP", ", ".join(listening)),
        ("domains", ", ".join(str(domain) for domain in conf.exchange.domains) or NO_DOMAINS),
        ("data", str(plan.data.root)),
        ("configuration", str(plan.conf_dir)),
        ("database", database),
    ]
    if conf.listen.metrics is not None:
        facts.append(("metrics", f"http://{conf.listen.metrics}/metrics"))
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
