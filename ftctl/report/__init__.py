"""A run as a page to read: what is told of it, as values, and those as HTML and as Markdown."""
