"""The operator: turns each TrainingJob into one Job and says in its status what became of it."""
