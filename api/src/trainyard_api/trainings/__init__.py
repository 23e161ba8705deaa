"""TrainingJobs over REST: what is asked for, and what is told of it."""
