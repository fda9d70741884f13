"""Demo data that looks like life: a made-up company's calls as landing files, and its rows in the database."""
