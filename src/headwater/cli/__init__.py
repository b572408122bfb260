"""The `headwater` command: one module per command."""
