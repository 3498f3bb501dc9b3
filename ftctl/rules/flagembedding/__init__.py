"""The rules of FlagEmbedding's seven programs."""
