"""The run directory: what a run was asked, what it did, and what came of it."""
