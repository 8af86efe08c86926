"""Text in the cells of Markdown tables.

Here: escaping. Not here: which tables there are (``data_path``, ``commands_page``, ``settings_page``).
"""

import re


def cell(text: str) -> str:
    """Text that stands in a cell as it is written: no column, tag or emphasis begins in it."""
    return re.sub(r"([|<>*\[\]])", r"\\\1", text)


def code(text: str) -> str:
    """Text in the type of code, in a cell."""
    return f"`{text}`".replace("|", "\\|")
