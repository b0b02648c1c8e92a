"""The PDF of a document, by typst: A4, tagged for screen readers (PDF/UA-1), in normal or large print.

Texts reach the template as JSON in an input, never as its source, so nobody's name is markup. The timestamp in the file
is the day of issue and no font comes from the system: the same document gives the same bytes.
"""

import datetime
import importlib.util
import threading
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec
import typst

from billing.invoices.document import Document
from billing.pdf.paper import Paper, paper_of
from provisioning.printable import escape_control

TEMPLATE: Final = Path(__file__).with_name("document.typ")
# Made for readers with low vision; where the package is missing typst's own Libertinus stands in.
FONT_PACKAGE: Final = "fontpkg_atkinson_hyperlegible"
STANDARD: Final = "ua-1"
PNG_PIXELS_PER_INCH: Final = 110.0

# typst's compiler is not for two threads at once.
_lock = threading.Lock()


class CannotPrint(Exception):  # noqa: N818 - the document's fault, not an error of ours
    """typst made no PDF of it."""


def render_pdf(document: Document, *, is_large_print: bool = False) -> bytes:
    """The whole file. Some tenths of a second; a thread's work, not a loop's."""
    found = _compile(document, "pdf", is_large_print=is_large_print)
    assert isinstance(found, bytes)
    return found


def render_pages(document: Document, *, is_large_print: bool = False) -> list[bytes]:
    """Each page as a PNG, to be looked at."""
    found = _compile(document, "png", is_large_print=is_large_print)
    return [found] if isinstance(found, bytes) else found


def _compile(document: Document, kind: Literal["pdf", "png"], *, is_large_print: bool) -> bytes | list[bytes]:
    paper = paper_of(document)
    inputs = {"paper": _json(paper), "large": "yes" if is_large_print else "no"}
    issued = datetime.date.fromisoformat(document.issued_on)
    stamp = datetime.datetime.combine(issued, datetime.time(), datetime.UTC)
    # PDF/UA-1 refuses a character that no font has. A name is still worth printing: tagged, but without the promise.
    standards: list[list[typst.PDFStandard]] = [[STANDARD], []] if kind == "pdf" else [[]]
    for place, standard in enumerate(standards):
        try:
            with _lock:
                found = _compiler().compile(
                    format=kind,
                    ppi=PNG_PIXELS_PER_INCH if kind == "png" else None,
                    sys_inputs=inputs,
                    pdf_standards=standard,
                    timestamp=stamp,
                )
        except typst.TypstError as problem:
            if place < len(standards) - 1 and "could not be displayed" in problem.message:
                continue
            raise CannotPrint(f"{paper.subject} cannot be printed: {problem.message}") from problem
        assert found is not None
        return found
    raise AssertionError("the last way returns or raises")


@cache
def _compiler() -> typst.Compiler:
    return typst.Compiler(
        TEMPLATE,
        root=TEMPLATE.parent,
        font_paths=typst.Fonts(include_system_fonts=False, font_paths=_font_folders()),
        ignore_system_fonts=True,
    )


def _font_folders() -> list[Path]:
    spec = importlib.util.find_spec(FONT_PACKAGE)
    return [Path(place) for place in spec.submodule_search_locations or ()] if spec is not None else []


def _json(paper: Paper) -> str:
    return msgspec.json.encode(_shown(msgspec.to_builtins(paper))).decode()


def _shown(value: object) -> object:
    """Nothing that moves other text about, such as an override of the direction of writing."""
    if isinstance(value, str):
        return escape_control(value)
    if isinstance(value, dict):
        return {key: _shown(item) for key, item in value.items()}
    return [_shown(item) for item in value] if isinstance(value, list | tuple) else value
