"""What `ftctl validate` found, for people, programs and pipelines: one module a format, each pure."""
