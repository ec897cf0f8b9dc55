"""Mirrors the rooms: a test stands where what it tests stands."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
