"""The press: the tools that turn the book's sources into the book."""
