"""Text that was written to be more than text: for a terminal, rich, Markdown, HTML, a chat, a spreadsheet, SQL.

Here: the strings, and what no output may hold of them. Not here: which outputs are tried.
"""

from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

HOSTILE = (
    "[/b]",
    "[restored]",
    "[bold red]bold[/] [link=file:///etc/passwd]link[/link]",
    ":smile:",
    "\x1b[2J\x1b[31mred",
    "\x1b]52;c;ZXZpbA==\x07clipboard",
    "\x1b]0;title\x07",
    "\x9b31mc1",
    "over\rwritten\x08",
    "gnp.\u202eexe",
    "\u2067hidden\u2069\u200f\ufeff",
    "two\u2028lines\u0085here",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![p](http://127.0.0.1/p.png) | cell | [a](javascript:alert(1))",
    "`code` **bold** {{ 7 * 7 }} ${HOME} %(name)s {0}",
    "``` fence <https://evil.example> www.evil.example ~~x~~ &lt;b&gt;",
    "<!channel> <@U024BE7LH> <https://evil.example|click> @everyone",
    "=HYPERLINK(1)",
    "+1+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "'; DROP TABLE movies; --",
)

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a cell begins with that a spreadsheet computes; the last four are full-width forms of the first."""

_HIDDEN = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u2028\u2029"
_HARMLESS_LINKS = ("/reports/", "data:image/svg+xml")


def steering_characters(text: str) -> set[str]:
    """Characters of a text that steer a terminal or reorder what is read, line breaks and tabs aside."""
    return {each for each in text if (each < " " and each not in "\n\t") or "\x7f" <= each <= "\x9f" or each in _HIDDEN}


def foreign_markup(text: str) -> list[str]:
    """What Dagster's Markdown would draw of a text besides paragraphs, tables, emphasis, code and our own pictures."""
    parser = MarkdownIt("gfm-like", {"linkify": False, "html": True})
    return [f"{token.type}: {token.content or token.attrs}" for token in _tokens(parser.parse(text)) if _foreign(token)]


def _tokens(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _tokens(token.children or [])


def _foreign(token: Token) -> bool:
    target = str(token.attrs.get("href") or token.attrs.get("src") or "")
    is_link = token.type in {"link_open", "image"}
    return token.type in {"html_inline", "html_block", "heading_open", "fence"} or (
        is_link and not target.startswith(_HARMLESS_LINKS)
    )
