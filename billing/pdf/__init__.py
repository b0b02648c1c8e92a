"""Documents on paper: what a reader sees of them, and the PDF that typst makes of that."""
