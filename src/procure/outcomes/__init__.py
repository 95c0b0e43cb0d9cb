"""The change a buyer wants, how it is measured, and the ledger of what is committed to it."""
