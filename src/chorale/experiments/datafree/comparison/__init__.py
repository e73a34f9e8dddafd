"""Ways of distilling side by side, with one teacher and one budget, and what the paper claims of them."""
