"""
The only orchestration: an answer is looked for, bought once, kept and forgotten.

Rule 1: values are opaque; nothing here knows analyses, vendors or HTTP.
Rule 2: nothing here knows a technology; stores come in through `ports`.
"""
