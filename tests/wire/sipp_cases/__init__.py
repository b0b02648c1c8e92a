"""SIPp scenarios that others wrote (../shared/corpora/sipp), each played on a real exchange."""
