"""Real clients and real servers, with and without the guard between them."""
