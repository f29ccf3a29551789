"""The commands of `kefu`: a module a noun, each adds its own to the command line."""
