"""What `make` needs besides make: shell scripts, and the browser for tests and benchmarks."""
