"""The database file and its threads: opening, one writer, readers, checkpoints, wake-ups. Knows no conversations."""
