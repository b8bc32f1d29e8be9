"""Optimised plan to an ordered stream of record batches."""
