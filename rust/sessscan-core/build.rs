//! A digest of the sources, so that an index says nothing that another scanner has found.

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
        std::fs::read(path).expect("a source can be read").hash(&mut digest);
    }
    println!("cargo::rustc-env=SESSSCAN_SOURCES={}", digest.finish());
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().expect("a folder of sources can be listed") {
        let path = entry.expect("its entries, too").path();
        if path.is_dir() { collect(&path, into) } else { into.push(path) }
    }
}
