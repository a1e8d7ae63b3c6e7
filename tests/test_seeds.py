from mucode.seeds import seed_for


def test_a_seed_depends_on_its_address_and_on_nothing_else() -> None:
    assert seed_for(0, "roll_out", 1, "starter/17", 0, 1) == seed_for(0, "roll_out", 1, "starter/17", 0, 1)
    assert seed_for(0, "roll_out", 1) != seed_for(0, "roll_out", 2)
    assert seed_for(0, "a", "b") != seed_for(0, "ab")


def test_seeds_are_the_same_on_every_machine() -> None:
    assert seed_for(0, "roll_out", 1, "starter/17", 0, 1) == 2587815943999727659


def test_seeds_fit_a_signed_64_bit_integer() -> None:
    assert all(0 <= seed_for(seed) < 2**63 for seed in range(200))
