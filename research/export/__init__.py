"""Networks written to the files that the package ships."""
