-- The recommendations of this version are the published ones, however many rows they are.
UPDATE ops.champion SET recommended = %(version)s
