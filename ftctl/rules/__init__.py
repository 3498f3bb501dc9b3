"""What an engine refuses, or accepts and does otherwise: named rules over the arguments that it is given."""
