"""What serving costs, measured beside the native way in the same run: `ops/bench --help`.

Both sides run in turn on the same machine with a warm page cache, several rounds.
Figures are medians with their spread; ratios are taken round by round, then their
median. Nothing is asserted: a missed target is printed, and the exit status stays 0.
"""
