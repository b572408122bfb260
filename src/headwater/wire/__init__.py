"""Messages, items and frames: bytes <-> frozen structs. Pure: no clock, no socket."""
