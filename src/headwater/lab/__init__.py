"""Many real nodes on one machine, and the demo."""
