"""Lives on this node: the overlay run over real links, the parts kept, the recording made."""
