"""Where entries live. Each store implements the ports Store and Ledger, under one shared test suite."""
