"""Model: creates TrainingJobs from a template, by a schedule and on request."""
