"""`make bench-api`: the API under load, in front of a real API server and a real Postgres."""
