"""The operator's own queue: how many runs go at a time, and whose turn it is."""
