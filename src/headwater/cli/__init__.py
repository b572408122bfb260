"""The command line: one module a command. Heavy imports wait until a command runs."""
