"""The research kit: comparisons, ablations and timing; imported by nothing else."""
