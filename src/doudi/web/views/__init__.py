"""One module per area: parse the request, call one service, show the answer."""
