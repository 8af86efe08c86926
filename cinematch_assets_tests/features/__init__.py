"""Tests of ``cinematch_assets.features``."""
