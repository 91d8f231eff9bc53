"""The auditor: check a directory, one delivery, one history, offline. Pure."""
