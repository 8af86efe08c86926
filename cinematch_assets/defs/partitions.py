"""The partitions definition of the batch assets, and how backfills over it become runs.

Here: what all batch assets must share: assets with different backfill policies are never in one run.
"""

import dagster as dg

BATCH_PARTITIONS = "batch_id"

batch_id = dg.DynamicPartitionsDefinition(name=BATCH_PARTITIONS)
"""One partition for each batch; its key is the file's name without the suffix."""

one_run_a_batch = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)
"""A bad batch fails alone. A range of partitions can be launched as one run too, over GraphQL with range tags."""

OWNERS = ["team:cinematch"]
