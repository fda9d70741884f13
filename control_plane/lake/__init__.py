"""Questions to the lake: what calls cost, by what. The only home of DuckDB."""
