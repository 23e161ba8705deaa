"""Failures alert: an outbox in the database, and a signed webhook that empties it."""
