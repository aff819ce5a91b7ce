"""Programs that train on several devices, started by `children`. Each asserts its result and prints what it saw."""
