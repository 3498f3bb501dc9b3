"""Servers: a module and a table entry each."""
