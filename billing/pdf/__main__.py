"""`python -m billing.pdf [--large-print]`: a document as JSON comes in, its PDF goes out."""

import sys

from billing.invoices.document import decode_document
from billing.pdf.of_number import LARGE
from billing.pdf.render import CannotPrint, render_pdf


def main() -> int:
    document = decode_document(sys.stdin.buffer.read().decode())
    try:
        made = render_pdf(document, is_large_print=LARGE in sys.argv[1:])
    except CannotPrint as problem:
        sys.stderr.write(str(problem))
        return 1
    sys.stdout.buffer.write(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
