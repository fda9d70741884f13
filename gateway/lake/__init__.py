"""The lake's process: sealed journal segments become Parquet files in a store. The only home of pyarrow in gateway."""
