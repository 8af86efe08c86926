"""The shape of every file and table, written once: one declaration a module, and the Pandera model made of it."""
