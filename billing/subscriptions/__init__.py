"""What is sold by the month, and the law of contracts."""
