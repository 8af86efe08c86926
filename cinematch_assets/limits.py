"""From when on people are told of something that no run notices.

Here: limits that checks, notifications, the page, the command and the alarms on AWS share. Not here: what is done when
one is passed (``pipeline.attention``), limits that a person sets (``settings``).
"""

from datetime import timedelta

MAX_STORAGE_SHARE = 0.85
"""Of the budget: above it there is time to act before writes fail."""
MAX_BATCH_AGE = timedelta(days=8)
"""Batches come each week; a day late is late."""
MAX_STALE_LISTS = timedelta(hours=1)
"""A retraining publishes the lists within minutes of the promotion."""
MAX_SILENCE = timedelta(minutes=5)
"""Sensors are evaluated every 10 to 30 s, the daemon's heartbeat comes every 30 s; a restart takes a minute or two."""
MAX_OUTBOX_AGE = timedelta(minutes=30)
"""A notification goes out within two minutes; a channel that was down is tried again within a quarter of an hour."""
MAX_DUE_AGE = timedelta(hours=12)
"""A retraining takes minutes, is ended after two hours, and is then tried again."""
MAX_UNREACHABLE = timedelta(hours=1)
"""A service that does not answer comes back by itself, mostly within minutes."""
TOKEN_NOTICE = timedelta(days=2)
"""Before a token for Google Drive ends: it needs a person with a browser, who may be away for a day."""
