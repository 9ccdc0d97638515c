//! The seeds, whole and cut short, without a fuzzer: on any platform, and under Miri.

use std::fs;
use std::path::Path;

fn each_seed(of: &str, hold: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(of);
    let mut tried = 0;
    for seed in fs::read_dir(folder).unwrap() {
        let data = fs::read(seed.unwrap().path()).unwrap();
        // Miri takes its time.
        let step = if cfg!(miri) { 400 } else { 1 };
        for end in (0..data.len()).rev().step_by(step) {
            hold(&data[..=end]);
            tried += 1;
        }
    }
    assert!(tried > 40, "only {tried} seeds");
}

#[test]
fn scanner() {
    each_seed("scanner", sessscan_fuzz::lines::hold);
}

#[test]
fn row() {
    each_seed("row", sessscan_fuzz::rows::hold);
}
