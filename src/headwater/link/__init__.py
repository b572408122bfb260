"""Links between nodes: the port, the iroh adapter, the in-memory twin, liveness and shaping."""
