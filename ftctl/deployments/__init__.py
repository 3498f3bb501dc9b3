"""Serve: deployments that are healthy, named, reachable and stoppable from any shell."""
