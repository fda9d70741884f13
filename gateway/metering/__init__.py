"""Sans-I/O meters: response bytes in, Usage out. One reader per provider family; no clock, no I/O."""
