"""Telephone numbers as people write them, read into E.164.

"01632 960001", "+44 (0)1632 960001" and "00441632960001" are one number: +441632960001. A number is judged by
its shape only: whether a range is in use is not asked, because the ranges kept free for drama and tests count
as invalid in the usual libraries, and because numbers are opened faster than libraries are released. Short
codes (999, 118500) are not numbers here.
"""

from provisioning.problems import NumberProblem

UK = "44"
E164_DIGITS_MAX = 15  # ITU-T E.164, 6.2.1
E164_DIGITS_MIN = 7  # the shortest international numbers in use (small islands) have seven
TEXT_CHARS_MAX = 40  # no spelling of 15 digits needs more; longer text is something else
# National significant numbers: 10 digits; 9 in parts of 41 area codes and for 0800 xxxxxx; 7 for 0800 1111
# and 0845 46 4x.
UK_LENGTHS = frozenset((7, 9, 10))
UK_SEVEN_DIGITS = ("8001111", "845464")
UK_FIRST_DIGITS = frozenset("1235789")  # 0 does not exist after +44; 04 and 06 are not in use
SEPARATORS = " \u00a0\u2009\u202f\u2010\u2011-./()"
_DROP_SEPARATORS = str.maketrans("", "", SEPARATORS)
_DIGITS = frozenset("0123456789")  # str.isdigit() would let full-width and Arabic digits in
EXPECTED = "a telephone number such as 01632 960001 or +44 1632 960001"


def parse_number(text: str, *, country_code: str = UK) -> str:
    """The E.164 form, with the plus, of a number written nationally (leading 0) or internationally (+ or 00).

    `country_code` is that of a number with a leading 0. Raises NumberProblem.
    """
    if len(text) > TEXT_CHARS_MAX:
        raise NumberProblem("number", text, EXPECTED)
    written = text.strip(" \t\r\n")
    if written.startswith("+"):
        written = written.replace("(0)", "", 1)
    digits = written.translate(_DROP_SEPARATORS)
    international = _international(digits, country_code)
    if international is None or not _DIGITS.issuperset(international):
        raise NumberProblem("number", text, EXPECTED)
    if not E164_DIGITS_MIN <= len(international) <= E164_DIGITS_MAX or international.startswith("0"):
        raise NumberProblem("number", text, EXPECTED)
    if international.startswith(UK):
        international = UK + _uk_significant(international.removeprefix(UK), text)
    return "+" + international


def is_e164(text: str) -> bool:
    """Whether the text is exactly what parse_number returns."""
    try:
        return parse_number(text) == text
    except NumberProblem:
        return False


def _international(digits: str, country_code: str) -> str | None:
    if digits.startswith("+"):
        return digits[1:]
    if digits.startswith("00"):
        return digits[2:]
    if digits.startswith("0"):
        return country_code + digits[1:]
    # A number copied out of a file that lost its plus. Anything else without a 0 is a local number or a short
    # code.
    if digits.startswith(country_code) and len(digits) >= len(country_code) + 9:
        return digits
    return None


def _uk_significant(significant: str, text: str) -> str:
    significant = significant.removeprefix(
        "0"
    )  # "+44 01632 960001": written often, and never meant otherwise
    length = len(significant)
    if length not in UK_LENGTHS or significant[0] not in UK_FIRST_DIGITS:
        raise NumberProblem("number", text, "10 digits after the leading 0 or +44 (9 in some old areas)")
    if length == 7 and not significant.startswith(UK_SEVEN_DIGITS):
        raise NumberProblem("number", text, "10 digits after the leading 0 or +44 (9 in some old areas)")
    return significant
