"""Importing: what other tools call a training or a server, as a job; a module and an entry per origin."""
