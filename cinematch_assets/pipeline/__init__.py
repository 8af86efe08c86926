"""What an asset or a command does, from input to written rows, without Dagster."""
