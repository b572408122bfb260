"""Who is asked for which block when, and the proof that what came is what was asked for."""
