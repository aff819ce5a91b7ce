"""Programs that train on several devices, for `children`: each asserts what it is to show, and prints what it saw."""
