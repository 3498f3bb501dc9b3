"""Diagnosis: why a training failed, from how it ended and what it said, and the way out."""
