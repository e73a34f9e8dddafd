"""Ways of distilling: one file each, with what it minimises and where that is from."""
