//! Fuzz target: bytes as a transcript, of which fields are read. Built without the fuzzer, it checks the files given
//! as arguments.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| sessscan_fuzz::fields::check(data));

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    std::env::args_os()
        .skip(1)
        .try_for_each(|path| std::fs::read(path).map(|data| sessscan_fuzz::fields::check(&data)))
}
