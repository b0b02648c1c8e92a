"""Load and cost measurements of the exchange, beside Kamailio's where it is installed. `python -m bench`."""
