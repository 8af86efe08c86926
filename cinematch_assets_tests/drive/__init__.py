"""Tests of the dropped files' folder."""
