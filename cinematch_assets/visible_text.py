"""Text from outside that only shows: control characters become their numbers.

Here: which characters are shown, and look-alikes of brackets for pages that others write. Not here: the terminal
(``cli.output``) and Evidently's page (``drift.report``), which use it; Markdown (``dagster_support.markdown``).
"""

import unicodedata

_DIRECTION = set("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
"""Marks that reorder or hide text; joiners between letters and emoji stay."""
_BRACKETS = str.maketrans({"<": "\u2039", ">": "\u203a", "&": "\uff06", '"': "\u201d", "`": "\u2019"})


def visible(text: str) -> str:
    """Return the text with the number of each character that steers a terminal; line breaks and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def without_markup(text: str) -> str:
    """Return the text with look-alikes for the characters of HTML and scripts, for a library that escapes nothing."""
    return visible(text).translate(_BRACKETS)


def _shown(character: str) -> str:
    if character in "\n\t":
        return character
    if character in _DIRECTION or unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
        return f"\\u{ord(character):04x}"
    return character
