"""Write the pages that follow from the code: ``python -m docs``."""

from docs import data_path, decisions_index

for each in (data_path, decisions_index):
    each.PAGE.write_text(each.page(), encoding="utf-8")
