"""The operator under load: bare Jobs and TrainingJobs in one control plane with fake nodes."""
