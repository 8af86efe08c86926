"""The folder that people drop files into: a local one or Google Drive, read only."""
