//! Measure the scanner alone: `cargo bench` here, or `cargo bench -- --quick` for a short run.
//!
//! Each benchmark first checks its answer. The groups' names contain the instruction set;
//! `SESSSCAN_WIDTH=scalar cargo bench` measures another one.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sessscan_core::{CancelToken, Isa, RowKind, Strictness, classify_bytes, scan_bytes, scan_file};
use sessscan_kernel_bench::{SESSION, far, nested, picture, row, short, spliced, unmarked, usual};
use std::hint::black_box;
use std::io::Write;

const SIZE: usize = 256 << 10;

fn scanning(criterion: &mut Criterion) {
    for (strictness, name) in
        [(Strictness::Structure, "scan_bytes"), (Strictness::Full, "scan_bytes, strict")]
    {
        let mut group = criterion.benchmark_group(format!("{name}, {}", Isa::chosen().name()));
        for (shape, (data, lines), damaged) in [
            ("usual lines", usual(SIZE, 2_000), false),
            ("long lines", usual(SIZE, 60_000), false),
            ("unmarked lines", unmarked(SIZE, 2_000), false),
            ("short lines", short(SIZE), false),
            ("beyond ASCII", far(SIZE), false),
            ("one picture", picture(SIZE), false),
            ("keys and brackets", nested(SIZE), false),
            ("spliced lines", spliced(SIZE), true),
        ] {
            let found = scan_bytes(&data, Some(SESSION.into()), strictness);
            assert_eq!((found.lines, found.records), (lines, lines), "{shape}");
            assert_eq!(found.defects.len() as u64, if damaged { lines } else { 0 }, "{shape}");
            group.throughput(Throughput::Bytes(data.len() as u64));
            group.bench_function(shape, |bencher| {
                bencher.iter(|| scan_bytes(black_box(&data), Some(SESSION.into()), strictness));
            });
        }
        group.finish();
    }
}

fn small_files(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("scan_file, {}", Isa::chosen().name()));
    for size in [4 << 10, 64 << 10] {
        let (data, lines) = usual(size, 1_000);
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file can be created");
        file.write_all(&data).expect("and written");
        let scan = || scan_file(file.path(), Strictness::Structure, 1, &CancelToken::never());
        assert_eq!(scan().expect("the file can be scanned").records, lines);
        group.throughput(Throughput::Bytes(data.len() as u64));
        group.bench_function(format!("{} KiB", size >> 10), |bencher| bencher.iter(scan));
    }
    group.finish();
}

fn rows(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("classify_bytes");
    let (whole, name) = row(100_000);
    let mut cut = whole.clone();
    cut.truncate(whole.len() - 1_000);
    for (shape, data, kind) in [
        ("a whole row", &whole, RowKind::Ok),
        ("a truncated one", &cut, RowKind::Truncated),
        ("one of zeros", &vec![0; 144_258], RowKind::ZeroFilled),
    ] {
        assert_eq!(classify_bytes(data, Some(name.as_bytes())).kind, kind);
        group.throughput(Throughput::Bytes(data.len() as u64));
        group.bench_function(shape, |bencher| {
            bencher.iter(|| classify_bytes(black_box(data), Some(name.as_bytes())));
        });
    }
    group.finish();
}

criterion_group!(benches, scanning, small_files, rows);
criterion_main!(benches);
