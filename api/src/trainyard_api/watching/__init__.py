"""What the cluster holds, kept up to date by watches instead of asked for with each request."""
