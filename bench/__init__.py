"""How much the gateway costs, measured beside nginx in the same run. See README.md."""
