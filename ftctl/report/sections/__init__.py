"""The parts of a report, one module each: a run's records to a section, or None where it has none."""
