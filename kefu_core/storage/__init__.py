"""Where the bytes of files are: on disk or elsewhere, and what makes small pictures."""
