"""The texts of notices: Jinja2 templates in billing/texts/, plain text, in which no value can break a line."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from provisioning.printable import escape_control

TEXTS: Final = Path(__file__).parents[1] / "texts"


def render(name: str, facts: Mapping[str, object]) -> str:
    """The text of a template. A fact that is missing is an error of ours, and raises."""
    return _environment().get_template(f"{name}.txt").render(facts)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEXTS, encoding="utf-8"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - plain text: nothing reads HTML in it
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_one_line,
    )


def _one_line(value: object) -> object:
    return escape_control(value) if isinstance(value, str) else value
