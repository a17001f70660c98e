"""The research kit: comparisons, studies, the model zoo and timing; imported by nothing else."""
