"""What happened while nobody listened: gaps are owed, read through the API, and fed through the journal like pushes."""
