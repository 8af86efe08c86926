"""Write the pages that follow from the code: ``python -m docs``."""

from docs.generated import MODULES

for each in MODULES:
    each.PAGE.write_text(each.page(), encoding="utf-8")
