"""The complete pipeline beside its peers: exchange, load and peers; `benchmarks/bench_pipeline.py` runs them."""
