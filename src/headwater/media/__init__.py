"""PyAV: probe, prepare, poster, storyboard, subtitles, remux on the fly; all of it in processes of its own."""
