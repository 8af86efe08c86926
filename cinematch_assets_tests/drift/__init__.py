"""Tests of ``cinematch_assets.drift``."""
