"""Retraining on request: who asked, who had to wait, and what became of it."""
