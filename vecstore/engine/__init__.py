"""What is done: the verbs that write, apply, recover and answer."""
