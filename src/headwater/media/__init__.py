"""PyAV: probe, prepare, poster, storyboard, subtitles, remux on the fly; in own processes."""
