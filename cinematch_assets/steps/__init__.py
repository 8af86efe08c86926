"""One piece of work a module, from input to written rows: what an asset or a command calls, without Dagster."""
