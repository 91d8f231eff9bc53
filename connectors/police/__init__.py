"""The adapter of a police force: it looks the persons of a message up in its own register."""
