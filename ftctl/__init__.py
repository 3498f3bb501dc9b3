"""ftctl: one job file to a trained, checked, served and judged model."""

__version__ = "0.1.0"
