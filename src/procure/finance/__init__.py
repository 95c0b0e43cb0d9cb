"""Orders, payables, invoices and payments, as finance systems pull and write them."""
