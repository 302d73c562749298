"""What keeps the data directory whole: one program at a time, checks, trimming, backups, files replaced at once."""
