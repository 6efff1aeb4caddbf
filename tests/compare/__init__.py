"""Tests of the compare door."""
