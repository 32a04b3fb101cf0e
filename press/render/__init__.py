"""Rendering: stored notebooks to a website, a PDF and an EPUB."""
