"""Invoices, invoices for payments, credit notes: what is on them, how they come about, and that they add up."""
