"""The Train API: TrainingJobs over REST. It holds no state of its own."""
