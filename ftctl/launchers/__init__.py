"""Launchers: where a run's `ftctl node` is started. A module and a table entry each."""
