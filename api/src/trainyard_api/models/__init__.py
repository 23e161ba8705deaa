"""Models over REST, and what people decide about their champions."""
