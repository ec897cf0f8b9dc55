"""Test bed of the search: tables of truth, arms at equal training cost, paired comparisons."""
