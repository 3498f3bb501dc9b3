"""Plan: every value that the job leaves open, derived from facts, each with its reason."""
