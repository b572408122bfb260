"""The composition root and the lifetime of a node."""
