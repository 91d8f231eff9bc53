"""The agency's side: it holds the keys and reads the content."""
