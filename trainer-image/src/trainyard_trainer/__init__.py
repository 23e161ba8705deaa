"""What runs in a TrainingJob's pod: one model type trained on one table, filed as one version."""
