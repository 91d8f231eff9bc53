"""The adapter of a customs administration: it looks warnings up among the arrivals of the national system."""
