"""Margins of the tests whose outcome depends on how a processor rounds."""
