"""The exchange: it routes what it cannot read."""
