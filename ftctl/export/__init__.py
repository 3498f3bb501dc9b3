"""Export: a verified result as the files that other tools take, each with a model card."""
