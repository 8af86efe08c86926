"""Text that was written to be more than text: for a terminal, rich, Markdown, HTML, a spreadsheet, SQL.

Here: the strings, and what no output may hold of them. Not here: which outputs are tried.
"""

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
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![p](http://127.0.0.1/p.png) | cell | [a](javascript:alert(1))",
    "`code` **bold** {{ 7 * 7 }} ${HOME} %(name)s {0}",
    "=HYPERLINK(1)",
    "'; DROP TABLE movies; --",
)


def steering_characters(text: str) -> set[str]:
    """Characters of a text that steer a terminal, line breaks and tabs aside."""
    hidden = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    return {each for each in text if (each < " " and each not in "\n\t") or "\x7f" <= each <= "\x9f" or each in hidden}
