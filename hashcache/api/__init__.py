"""HTTP in, HTTP out: what a request means and how an outcome is written. No decisions about answers or money."""
