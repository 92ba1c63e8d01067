//! The targets on their seeds.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::TARGETS;

#[test]
fn what_holds_for_every_input_holds_for_the_seeds_of_each_target() {
    for target in TARGETS {
        let seeds = target.seeds().unwrap();
        assert!(seeds.len() >= 2, "{} has only {} seeds", target.name, seeds.len());
        for seed in
            seeds.iter().map(Vec::as_slice).chain([&b""[..], b"\0", b"\xff\xff", b"\x80\x01\x80\n\x80"])
        {
            let seed = &seed[..seed.len().min(target.max_len)];
            let ran = catch_unwind(AssertUnwindSafe(|| (target.run)(seed)));
            assert!(ran.is_ok(), "{} on {:?}", target.name, String::from_utf8_lossy(seed));
        }
    }
}
