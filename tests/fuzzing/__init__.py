"""Schemathesis against the service as it is served, with a marketplace in it: what its document allows and what it does not.

`market` fills it, `hooks` has Schemathesis name what is there, `playing` runs it, `tally` counts what was answered. `make check` plays one
seat with few examples (`test_fuzzing`), `python -m fuzzing` (`make drill`) every seat with many.
"""

#: Variables of the environment: where a file of what the caller knows is; where what was answered is written down; of how many wrong
#: requests of the coverage phase one is sent.
KNOWN, TOLD, THINNED = "FUZZING_KNOWN", "FUZZING_TOLD", "FUZZING_THINNED"
