"""Scores of predictions, the figures that follow from them, and how sure these are."""
