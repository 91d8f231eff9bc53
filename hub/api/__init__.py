"""The HTTP edge for connectors: routes, sessions and the one table from error to status."""
