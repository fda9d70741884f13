"""What a request may use at most, read from its body: one module for each kind of API. No I/O, no clock."""
