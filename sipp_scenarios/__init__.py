"""SIPp scenarios and a runner that checks what is on record, not only that messages flowed."""
