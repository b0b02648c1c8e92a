"""What `offhook check` says of the files of billing: billing.toml, the keys, complaints.toml, bank statements."""

from pathlib import Path

from switch.conf_files import ConfProblem, ConfProblems


def sends_mail(directory: Path) -> bool:
    """Whether there is a billing process with a mail server to send by."""
    from billing.conf import BILLING_FILE, load_billing  # noqa: PLC0415 - most exchanges have none

    if not (directory / BILLING_FILE).exists():
        return False
    try:
        mail = load_billing(directory).mail
    except ConfProblems:
        return True  # said as what it is
    return bool(mail.host and mail.sender)


def billing_problems(directory: Path) -> list[ConfProblem]:
    """Everything that is wrong in them. None of them has to be there."""
    from billing.complaints.conf import load_complaints  # noqa: PLC0415 - most exchanges have none
    from billing.conf import BILLING_FILE, load_billing  # noqa: PLC0415
    from billing.conf_payments import load_secrets  # noqa: PLC0415
    from billing.payments.statement_mapping import FOLDER, load_mapping  # noqa: PLC0415

    found: list[ConfProblem] = []
    has_billing = (directory / BILLING_FILE).exists()
    # Complaints come to who has no billing, too.
    for load in (load_complaints, load_billing, load_secrets) if has_billing else (load_complaints,):
        try:
            load(directory)
        except ConfProblems as problems:
            found += problems.problems
    for file in sorted((directory / FOLDER).glob("*.toml")) if has_billing else ():
        try:
            load_mapping(directory, file.stem)
        except ConfProblems as problems:
            found += problems.problems
    return found
