"""The stream of record batches to what the user asked for."""
