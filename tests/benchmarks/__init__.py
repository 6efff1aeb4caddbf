"""Tests of the benchmarks, nothing timed."""
