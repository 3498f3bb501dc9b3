"""The rules of LLaMA-Factory 0.9.5."""
