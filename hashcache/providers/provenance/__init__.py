"""
The embedded analysis: what a file says about its own origin, read without a network and free of charge.

    provider -> pool ==socket, descriptor==> child -> survey -> containers (where markers lie)
                                                             -> markers (what they mean)
    provider <- verdict <- pool <==report=== child

Rule 1: a marker is a claim by whoever wrote the file; the absence of one is never evidence of human origin.
Rule 2: no score is ever made up: `score_ai` is always None.
Rule 3: strangers' bytes are read by a child process under limits and a deadline, never by the service itself.
Rule 4: nothing in a file can open a connection, and nothing in it fails the upload: what could not be read is
        said as evidence.
"""
