"""The adapter of an INTERPOL-style bureau: it turns warnings into notices, kept sealed."""
