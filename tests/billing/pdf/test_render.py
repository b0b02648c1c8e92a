"""The PDF itself, read by somebody else's program."""

import io

import pytest
from pypdf import PdfReader

from billing.invoices.document import Document, Form
from billing.pdf.render import render_pages, render_pdf
from rating.money import VatMode
from tests.billing.pdf.samples import sample

HOSTILE = [
    "#panic()",
    '#eval("1") #sys.inputs #read("/etc/passwd")',
    '"]; $ x $ *bold* _it_ `raw` \\ <tag> @ref',
    "= Heading // comment /* x */ - item",
    "\\u{41} {{ x }} %s ' OR 1=1 --",
]
ONLY_SHOWN = ["\u4e2d\u56fd \U0001f600", "\u0645\u062b\u0627\u0644", "A\u202eB\u0007", "X" * 200, ""]


def reader(document: Document, *, is_large_print: bool = False) -> PdfReader:
    return PdfReader(io.BytesIO(render_pdf(document, is_large_print=is_large_print)))


def text_of(pdf: PdfReader) -> str:
    """All words, however the lines fall."""
    return " ".join(" ".join(page.extract_text() for page in pdf.pages).split())


@pytest.mark.parametrize("is_large_print", [False, True])
def test_it_is_tagged_has_a_language_and_a_title(is_large_print: bool) -> None:
    pdf = reader(sample(), is_large_print=is_large_print)
    root = pdf.trailer["/Root"]
    assert "/StructTreeRoot" in root and root["/MarkInfo"]["/Marked"]  # type: ignore[index]
    assert root["/Lang"] == "en-GB"  # type: ignore[index]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]  # type: ignore[index]
    assert pdf.metadata is not None
    assert pdf.metadata.title == "VAT invoice INV000123 from Example Telephones Ltd"
    assert b"pdfuaid:part" in root["/Metadata"].get_data()  # type: ignore[index]


def test_its_pages_are_a4() -> None:
    page = reader(sample()).pages[0]
    assert (round(page.mediabox.width), round(page.mediabox.height)) == (595, 842)


@pytest.mark.parametrize("is_large_print", [False, True])
def test_the_same_document_gives_the_same_bytes(is_large_print: bool) -> None:
    first = render_pdf(sample(), is_large_print=is_large_print)
    render_pdf(sample(name="Somebody Else"), is_large_print=not is_large_print)
    assert render_pdf(sample(), is_large_print=is_large_print) == first


@pytest.mark.parametrize("is_large_print", [False, True])
@pytest.mark.parametrize("text", HOSTILE)
def test_what_somebody_is_called_is_only_ever_text(text: str, is_large_print: bool) -> None:
    words = text_of(reader(sample(name=text, description=text), is_large_print=is_large_print))
    assert words.replace(" ", "").count(text.replace(" ", "")) >= 2


@pytest.mark.parametrize("text", ONLY_SHOWN)
def test_no_name_keeps_an_invoice_from_being_printed(text: str) -> None:
    for is_large_print in (False, True):
        assert "INV000123" in text_of(
            reader(sample(name=text, description=text), is_large_print=is_large_print)
        )


@pytest.mark.parametrize("mode", list(VatMode))
def test_a_full_invoice_has_what_hmrc_asks_for(mode: VatMode) -> None:
    """VAT Regulations 1995, reg. 14: uk.md (h)."""
    document = sample(mode=mode)
    words = text_of(reader(document))
    for wanted in (
        "INV000123", "2 November 2026", "Example Telephones Ltd", "1 Example Street", "GB123456789",
        "Sample Bakery Ltd", "2 Sample Road", "Line rental, October 2026", "VAT at 20%", "No VAT", "Net total",
        "12-34-56", "12345678", "quote the invoice number",
    ):  # fmt: skip
        assert wanted in words, wanted
    for micros in (document.net_micros, document.vat_micros, document.total_micros):
        assert f"£{micros // 1_000_000}.{micros // 10_000 % 100:02d}" in words


def test_a_simplified_invoice_has_its_fields_and_no_more() -> None:
    """VAT Regulations 1995, reg. 16A."""
    words = text_of(reader(sample(mode=VatMode.INC_VAT, form=Form.SIMPLIFIED, name="")))
    for wanted in (
        "Example Telephones Ltd",
        "1 Example Street",
        "GB123456789",
        "2 November 2026",
        "20%",
        "With VAT",
    ):
        assert wanted in words, wanted
    assert "VAT by rate" not in words


def test_pages_are_numbered_to_the_last() -> None:
    pdf = reader(sample(count=200))
    assert len(pdf.pages) > 3
    for place, page in enumerate(pdf.pages, 1):
        assert f"Page {place} of {len(pdf.pages)}" in page.extract_text()


def sizes(pdf: PdfReader) -> set[float]:
    """The sizes of all letters, in points."""
    found: set[float] = set()

    def note(text: str, _: object, matrix: list[float], __: object, size: float) -> None:
        if text.strip():
            found.add(round(abs(matrix[3]) * size if abs(matrix[3]) != 1 else size, 1))

    for page in pdf.pages:
        page.extract_text(visitor_text=note)
    return found


def test_m23_large_print_has_no_letter_below_18_points_but_the_page_number() -> None:
    """uk.md (S) M23: larger font for invoices. The foot of the page repeats what stands on it, in 16 points."""
    large, normal = sizes(reader(sample(), is_large_print=True)), sizes(reader(sample()))
    assert min(large) >= 16 and min(large - {16.0}) >= 18, large
    assert min(normal) < 10


def test_large_print_leaves_nothing_out() -> None:
    document = sample()
    normal, large = text_of(reader(document)), text_of(reader(document, is_large_print=True))
    for wanted in (
        "INV000123",
        "GB123456789",
        "£10.00",
        "020 7946 0123",
        "access charge",
        "Page 1 of",
        "12-34-56",
    ):
        assert wanted in normal and wanted in large, wanted


def test_pages_can_be_looked_at() -> None:
    assert all(page.startswith(b"\x89PNG") for page in render_pages(sample()))
