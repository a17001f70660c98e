"""What several tests share: samples, toy data and models."""
