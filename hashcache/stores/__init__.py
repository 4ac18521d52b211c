"""Where entries live. Each store comes with its Channel and Ledger, and all pass one shared test suite."""
