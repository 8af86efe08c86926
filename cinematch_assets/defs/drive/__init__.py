"""Files of the Drive folder, landed unchanged."""
