"""Benchmarks of serving, most of them beside Coqui's and Piper's own servers: `ops/bench --help`.

All sides run in turn on the same machine with a warm page cache, several rounds. Figures are medians with their spread;
ratios are taken round by round, then their median. A missed target is printed; the exit status stays 0.
"""
