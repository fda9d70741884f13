"""Events that callers report instead of proxying: signed batches in, signed files of the lake out."""
