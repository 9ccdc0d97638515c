//! Put a digest of the sources into the build, so that an index written by another version of the scanner is
//! not used.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=src");
    let mut sources = Vec::new();
    collect(Path::new("src"), &mut sources);
    sources.sort();
    let mut digest = DefaultHasher::new();
    for path in sources {
        std::fs::read(path).expect("the source file can be read").hash(&mut digest);
    }
    println!("cargo::rustc-env=SESSSCAN_SOURCES={}", digest.finish());
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().expect("the source folder can be listed") {
        let path = entry.expect("the folder's entry can be read").path();
        if path.is_dir() { collect(&path, into) } else { into.push(path) }
    }
}
