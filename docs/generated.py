"""Which pages follow from the code.

Here: the list. Not here: the pages themselves, each with a module beside this one.
"""

from docs import (
    commands_page,
    data_path,
    decisions_index,
    guarantees,
    licences,
    metrics_page,
    queries_page,
    settings_page,
)

MODULES = (data_path, commands_page, settings_page, queries_page, metrics_page, licences, decisions_index, guarantees)
"""Each has ``PAGE``, a path, and ``page()``, its text."""
