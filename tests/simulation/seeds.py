"""Seeds that show a fault that was found once, when its remedy is taken away.

What a seed does changes with the simulation itself, so the stories of these faults are
told in `test_found.py` too. A seed that fails is added here and never leaves.
"""

FOUND: dict[int, str] = {
    2: "a batch whose first send was refused for now was stored in another order",
    3: "the same",
    49: "a commit in doubt was run again, and its messages were told to nobody",
    52: "the same",
    16: "a follow that was refused for now was never asked again",
    25: "the same",
    1: "others' typing came before a client's welcome, and it left for good",
    8: "the same",
    30: "a client whose hello came late was told to stop for good",
    31: "the same",
    512: "texts that an agent had read from the store were counted when told later",
    521: "a message whose commit stayed in doubt was missing in the unread count",
    2329: "the same, or the one before",
    2536: "the same, or the one before",
}
