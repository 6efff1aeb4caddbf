"""Tests of the loops over cells."""
