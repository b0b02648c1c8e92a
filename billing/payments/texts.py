"""Mails about payments: plain text in plain English, from `billing/texts/`."""

from pathlib import Path
from typing import Any, Final

import jinja2

_FOLDER: Final = Path(__file__).parent.parent / "texts"


def rendered(template: str, /, **facts: Any) -> str:
    """A template with its facts. One that is not given is a mistake of ours, and an error. Nothing is escaped: it is
    plain text and only ever a body."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - plain text
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**facts)


def long_date(day: Any) -> str:
    """ "3 December 2026"."""
    return f"{day.day} {day:%B %Y}"
