"""The kill test: an exchange under load, processes killed, and every record and every penny found afterwards."""
