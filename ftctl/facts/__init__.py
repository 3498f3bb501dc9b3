"""Looking things up: what the machine, the model folder and the data files really are."""
