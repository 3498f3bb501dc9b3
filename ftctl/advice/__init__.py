"""Advice: the good practice that guides give, as notes that refuse nothing (docs/advice.md)."""
