"""The one partitions definition, and how backfills over it become runs.

Here: constants that every batch asset must share; a parent and a child with different policies never share a run.
"""

import dagster as dg

BATCH_PARTITIONS = "batch_id"

batch_id = dg.DynamicPartitionsDefinition(name=BATCH_PARTITIONS)
"""One partition a batch; its key is the file's name without the suffix."""

one_run_a_batch = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)
"""A poisoned batch fails alone. A range of partitions may be launched as one run too, over GraphQL with range tags."""

OWNERS = ["team:cinematch"]
