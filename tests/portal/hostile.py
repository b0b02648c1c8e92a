"""What a caller may write into his phone: markup, quotes, controls, marks that turn the direction of writing.

`DOG` stands in each text: whoever looks for it in a page finds out whether it is still text.
"""

from typing import Final

DOG: Final = "dog7"
# Each would show itself in a page that did not escape it: as an element, an attribute, a script or in another order.
TEXTS: Final = (
    f'<script>document.title="{DOG}"</script>',
    f'"><img src=x id={DOG} onerror=alert(1)>',
    f"'/><svg id={DOG} onload=alert(1)>",
    f"</text></svg></pre></title><b id={DOG}>",
    f"{{{{ 7 * 7 }}}}{{% raw %}}{DOG}&lt;b&gt;&#x3c;",
    f"\u202e{DOG}\u2066\u200f\ufeff\x1b[31m\x07\x9b2J\x00\x7f",
    f"javascript:alert('{DOG}')",
    f"\udcff\udc80{DOG}\ud800",
)
# What somebody can type into a form of ours.
TYPED: Final = " ".join(text for text in TEXTS if text.isprintable())
EVERYTHING: Final = " ".join(TEXTS)
# What PostgreSQL cannot hold has been taken out before it gets there (provisioning/storable.py).
STORABLE: Final = EVERYTHING.replace("\x00", "").encode("utf-8", "ignore").decode()
