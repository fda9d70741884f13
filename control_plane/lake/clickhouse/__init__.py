"""The lake's calls in ClickHouse, for who has outgrown one machine: tables, a loader, and the same questions."""
