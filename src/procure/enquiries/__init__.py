"""Questions before a lot closes: answered for everybody, asked by nobody in particular."""
