"""libtorrent at the border: making info-dicts (the bridge to BitTorrent comes later)."""
