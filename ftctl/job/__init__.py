"""Load and check: a YAML file becomes a frozen `Job`, or every problem at once."""
