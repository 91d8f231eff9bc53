"""Connecting a national system: drop folder, webhook and mail beside a running connector."""
