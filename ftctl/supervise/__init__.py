"""Supervise: `ftctl node RUN`, from the engine's first command to the deployment."""
