"""The SIP messages of every call, noted as they come and go: what a fault is looked for in afterwards.

    tap.py       where messages are jotted down as they pass
    messages.py  to which call each belongs, by its Call-ID
    ring.py      what is kept of them in memory, and its bounds
    call_log.py  one call's messages
    reasons.py   why a call's trace is worth the disk
    tracer.py    the calls: when they begin, get legs, end, are judged and handed over
    exported.py  a log as the struct that the rest of the house reads (traces/call_trace.py)

No clock and no socket: switch/trace_link.py takes what is kept to the process that stores it.
"""
