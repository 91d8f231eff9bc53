"""The transparency log's formats and proofs: commitments, notes, checkpoints, tiles. Pure; the store keeps the log."""
