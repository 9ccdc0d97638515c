//! Check the seeds and all their prefixes without a fuzzer: on any platform, and under Miri.

use std::fs;
use std::path::Path;

fn check_each_seed(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut tried = 0;
    for seed in fs::read_dir(folder).unwrap() {
        let data = fs::read(seed.unwrap().path()).unwrap();
        // Miri is slow, so it gets few of the prefixes.
        let step = if cfg!(miri) { 400 } else { 1 };
        for end in (0..data.len()).rev().step_by(step) {
            check(&data[..=end]);
            tried += 1;
        }
    }
    assert!(tried > 40, "only {tried} inputs");
}

#[test]
fn the_scanner_agrees_with_its_oracles_on_the_seeds() {
    check_each_seed("scanner", sessscan_fuzz::lines::check);
}

#[test]
fn the_fields_agree_with_their_oracles_on_the_seeds() {
    check_each_seed("scanner", sessscan_fuzz::fields::check);
}

#[test]
fn the_row_classifier_agrees_with_its_oracle_on_the_seeds() {
    check_each_seed("row", sessscan_fuzz::rows::check);
}
