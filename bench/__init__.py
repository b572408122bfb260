"""Measurements against real nodes, a real browser and real rivals: `python -m bench` lists them."""
