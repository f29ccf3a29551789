"""The checks of the promise are checked: code that breaks it must make them fail."""
