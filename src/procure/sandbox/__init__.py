"""The movable clock of a sandbox. Without `PROCURE_SANDBOX=1` its routes do not exist and its row can't be written."""
