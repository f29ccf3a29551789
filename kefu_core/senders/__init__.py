"""Ways out of this process: mail, and posts to URLs that people have chosen."""
