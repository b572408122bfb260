"""Signed items: SQLite store, search, anti-entropy, gossip."""
