"""
What things are and what is decided about them.

Rule: nothing in here does I/O, reads a clock, draws a random number or knows an event loop;
instants, tokens and chance are handed in.
"""
