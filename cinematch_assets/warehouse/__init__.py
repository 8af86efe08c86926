"""Postgres: connections, the embedded server, migrations, bulk loads, ledgers, the registry."""
