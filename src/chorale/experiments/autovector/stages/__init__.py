"""What the stages of a search do: data, search, finalists. Each function is `function(context, config)`."""
