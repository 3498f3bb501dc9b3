"""Whole commands and their processes, with the dummy or a stand-in in the engines' place."""
