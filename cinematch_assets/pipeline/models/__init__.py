"""The life of a model: train, gate, publish, query."""
