"""vLLM's rules, by subject."""
