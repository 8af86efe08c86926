"""The command: demo, dev, questions."""
