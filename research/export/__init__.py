"""Export of networks to the files that the package ships."""
