"""Whether a version may become the champion.

A process of its own judges it from what is filed in the object store, and knows nothing of the
training: `process` starts it, `judge` is what it does, and the modules beside are the checks.
"""
