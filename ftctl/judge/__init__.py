"""Judge: what a trained model is worth, measured through its deployment, against the model it came from."""
