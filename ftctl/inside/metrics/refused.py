"""What is told to the user in place of figures."""


class Refused(Exception):
    """A metric or an evaluation that cannot be counted at all, in words for the user."""
