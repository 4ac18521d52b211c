"""
Markers: what the pieces of a file and the characters of a text say about their origin.

Rule 1: each finding says how strong it is, how sure, and that it can be forged where it can.
Rule 2: a marker says what somebody declared; nothing here guesses.
"""
