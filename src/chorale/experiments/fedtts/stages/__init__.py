"""What the stages of a run do. Each function is `function(context, config)`."""
