"""What players read: files by ranges, pictures, subtitles, playlists, HLS."""
