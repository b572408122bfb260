"""How nodes find each other: mDNS, `host:port`, invitations."""
