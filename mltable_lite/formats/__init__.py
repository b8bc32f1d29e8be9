"""One partition's bytes to record batches; one file a format."""
