"""What every engine's own arguments are: read from the engine, kept as a schema, checked and explained."""
