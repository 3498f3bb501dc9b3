"""Collect: verified artifacts. Nothing verified, nothing served; never the base model in its place."""
