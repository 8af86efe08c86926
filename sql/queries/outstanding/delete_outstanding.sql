-- Work that is done, or no longer asked for.
DELETE FROM ops.outstanding_work
USING unnest(%(kinds)s::text[], %(works)s::text[]) AS gone(kind, work)
WHERE outstanding_work.kind = gone.kind AND outstanding_work.work = gone.work
