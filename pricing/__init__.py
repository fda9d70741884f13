"""What usage costs. Pure: no I/O, no clock, no gateway; money is integer nano-USD."""
