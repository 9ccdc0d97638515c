//! Turn 64 bytes at a time into bit masks with one bit a byte: of the quotes, the brackets, the control
//! characters.
//!
//! The fast reader ([`crate::plain`]) is generic over [`Block`], which each instruction set implements. The
//! instruction set is chosen here, once, at run time, so that one wheel is fast everywhere.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod block;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod utf8;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use block::{BLOCK, Block, Text};
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
pub(crate) use scalar::Scalar;

use std::sync::OnceLock;

/// The instruction sets that the scanner can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Isa {
    Avx512,
    Avx2,
    Neon,
    Scalar,
}

impl Isa {
    /// Return the instruction sets that this processor has, the fastest first. `Scalar` is always among them.
    pub fn available() -> Vec<Isa> {
        let mut isas = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            use std::is_x86_feature_detected as has;
            // All that `PlainReader::read_lines` enables. Processors with AVX2 have the others too.
            let avx2 = has!("avx2")
                && has!("pclmulqdq")
                && has!("bmi1")
                && has!("bmi2")
                && has!("lzcnt")
                && has!("popcnt");
            if avx2 && has!("avx512f") && has!("avx512bw") {
                isas.push(Isa::Avx512);
            }
            if avx2 {
                isas.push(Isa::Avx2);
            }
        }
        #[cfg(target_arch = "aarch64")]
        isas.push(Isa::Neon);
        isas.push(Isa::Scalar);
        isas
    }

    /// Return the fastest instruction set, or the one that `SESSSCAN_WIDTH` names if this processor has it.
    /// The variable serves to measure, and to rule out the vector code as a cause.
    pub fn chosen() -> Isa {
        static CHOSEN: OnceLock<Isa> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            let available = Isa::available();
            let wanted = std::env::var("SESSSCAN_WIDTH").unwrap_or_default();
            let named = available.iter().find(|isa| isa.name() == wanted);
            *named.unwrap_or(&available[0])
        })
    }

    /// Return the name that `SESSSCAN_WIDTH` takes.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Avx512 => "avx512",
            Isa::Avx2 => "avx2",
            Isa::Neon => "neon",
            Isa::Scalar => "scalar",
        }
    }
}

/// Mask the bytes that are escaped, given a mask of the backslashes. Those are every second backslash of a
/// run, and the byte behind a run of odd length.
///
/// `carry` says whether the block's first byte is escaped, and is set to whether the next block's first byte
/// will be.
#[inline(always)]
pub(crate) fn escaped(backslashes: u64, carry: &mut bool) -> u64 {
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    let first = u64::from(*carry);
    // An escaped backslash escapes nothing.
    let may_escape = backslashes & !first;
    // Subtracting each run from the bits above it, on a background of all odd bits, leaves a run's bits
    // alternating from its start, whether that is odd or even, and carries the alternation on to the byte
    // behind the run.
    let alternating = ((may_escape << 1) | ODD).wrapping_sub(may_escape) ^ ODD;
    *carry = (alternating & backslashes) >> 63 != 0;
    alternating ^ (backslashes | first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Compare each mask of a block with the mask found byte by byte.
    fn check<B: Block>(bytes: &[u8; BLOCK]) {
        let mask = |of: fn(u8) -> bool| (0..64).fold(0_u64, |mask, at| mask | u64::from(of(bytes[at])) << at);
        // SAFETY: the array has 64 bytes, and the caller takes B from `Isa::available`.
        let block = unsafe { B::load(bytes.as_ptr()) };
        assert_eq!(block.equal(b'"'), mask(|byte| byte == b'"'));
        assert_eq!(block.equal(0xff), mask(|byte| byte == 0xff));
        assert_eq!(block.control(), mask(|byte| byte < 0x20));
        assert_eq!(block.high(), mask(|byte| byte >= 0x80));
        assert_eq!(block.unusual(), block.control() | block.high());
        let mut other = *bytes;
        (0..64).filter(|at| at % 7 == 3).for_each(|at| other[at] ^= 1 << (at % 8));
        // SAFETY: `other` has 64 bytes, and the caller takes B from `Isa::available`.
        let differs = block.differs(unsafe { B::load(other.as_ptr()) });
        assert_eq!(differs, (0..64).filter(|at| at % 7 == 3).fold(0_u64, |mask, at| mask | 1 << at));
        for least in 0x80..=0xff {
            let expected = (0..64).fold(0_u64, |mask, at| mask | u64::from(bytes[at] >= least) << at);
            assert_eq!(block.at_least(least), expected);
        }
        assert_eq!(block.stops(), block.unusual() | mask(|byte| byte == b'"' || byte == b'\\'));
        // The block with its last byte before it.
        let mut behind = [bytes[BLOCK - 1]; 1 + BLOCK];
        behind[1..].copy_from_slice(bytes);
        let ends = behind.windows(2).any(|pair| pair[1] == if pair[0] == b'\\' { b'\\' } else { b'"' });
        // SAFETY: the array has 64 bytes from the second on and one before, and the caller takes B from
        // `Isa::available`.
        let said = unsafe { B::may_end_a_string(behind.as_ptr().add(1)) };
        assert_eq!(said, (ends, block.unusual() != 0));
        for length in 1..=Text::LENGTH {
            let mut text = Text { bytes: bytes[..Text::LENGTH].try_into().unwrap(), mask: [0; Text::LENGTH] };
            text.mask[..length].fill(0xff);
            // SAFETY: `bytes` has 64 bytes, more than `Text::LENGTH`, and the caller takes B from
            // `Isa::available`.
            let spells = |text: &Text| unsafe { B::spells(bytes.as_ptr(), text) };
            assert!(spells(&text));
            text.bytes[length - 1] ^= 4;
            assert!(!spells(&text));
            text.mask[length - 1] = 0;
            assert!(spells(&text));
        }
        let (open, close) = block.brackets();
        assert_eq!(open, mask(|byte| byte == b'{' || byte == b'['));
        assert_eq!(close, mask(|byte| byte == b'}' || byte == b']'));
        assert_eq!(block.curly() & (open | close), mask(|byte| byte == b'{' || byte == b'}'));
        let quotes = block.equal(b'"');
        let inside = (0..64).scan(false, |inside, at| {
            *inside ^= quotes >> at & 1 == 1;
            Some(u64::from(*inside) << at)
        });
        assert_eq!(block.prefix_xor(quotes), inside.fold(0, |mask, bit| mask | bit));
        let gathered = (0..64).filter(|at| quotes >> at & 1 == 1).enumerate();
        let gathered = gathered.fold(0, |gathered, (to, at)| gathered | (open >> at & 1) << to);
        assert_eq!(block.gather(open, quotes), gathered);
    }

    /// Return whether a block's mask finds a text to be UTF-8. The text has less than 64 bytes, so that the
    /// bytes behind it show a character that is cut off.
    fn is_utf8<B: Block>(text: &[u8]) -> bool {
        let mut bytes = [b' '; 3 + BLOCK];
        bytes[3..3 + text.len()].copy_from_slice(text);
        // SAFETY: the array has 64 bytes from the fourth on and three before, and the caller takes B from
        // `Isa::available`.
        let (errors, _) = unsafe { B::utf8_errors(bytes.as_ptr().add(3)) };
        errors == 0
    }

    fn check_utf8(text: &[u8]) {
        let expected = std::str::from_utf8(text).is_ok();
        for isa in Isa::available() {
            let found = match isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => is_utf8::<Avx512>(text),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => is_utf8::<Avx2>(text),
                #[cfg(target_arch = "aarch64")]
                Isa::Neon => is_utf8::<Neon>(text),
                _ => is_utf8::<Scalar>(text),
            };
            assert_eq!(found, expected, "{isa:?}: {text:x?}");
        }
    }

    #[test]
    fn utf8_errors_on_all_texts_of_four_critical_bytes() {
        const BYTES: [u8; 26] = [
            0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed,
            0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xfe, 0xff,
        ];
        for number in 0..BYTES.len().pow(4) {
            let byte = |place: u32| BYTES[number / BYTES.len().pow(place) % BYTES.len()];
            check_utf8(&[byte(0), byte(1), byte(2), byte(3)]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn utf8_errors_agree_with_the_standard_library(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "a", "é", "\u{7ff}", "\u{800}", "\u{ffff}", "😀", "\u{10ffff}", "\"",
                ]),
                0..16,
            ),
            hit in any::<prop::sample::Index>(),
            by in any::<u8>(),
        ) {
            let mut text = pieces.concat().into_bytes();
            text.truncate(BLOCK - 1);
            check_utf8(&text);
            if !text.is_empty() {
                let at = hit.index(text.len());
                text[at] = by;
                check_utf8(&text);
            }
        }

        #[test]
        fn masks_of_each_isa_agree_with_the_bytes(
            few in prop::collection::vec(
                prop::sample::select(b"\"\\{}[]:,a\n\0\x1f \x7f\x80\xff".to_vec()),
                BLOCK,
            ),
            any in prop::collection::vec(any::<u8>(), BLOCK),
            letters in prop::collection::vec(prop::sample::select(b"abc\xc3".to_vec()), BLOCK),
            escapes in prop::collection::vec(prop::sample::select(vec!["abcde", "\\n", "\\\""]), BLOCK),
            hit in any::<prop::sample::Index>(),
        ) {
            let mut escapes = escapes.concat().into_bytes();
            escapes.truncate(BLOCK);
            let mut once = escapes.clone();
            once[hit.index(BLOCK)] = b'\\';
            for bytes in [few, any, letters, escapes, once] {
                let bytes: &[u8; BLOCK] = bytes[..].try_into().unwrap();
                for isa in Isa::available() {
                    match isa {
                        #[cfg(target_arch = "x86_64")]
                        Isa::Avx512 => check::<Avx512>(bytes),
                        #[cfg(target_arch = "x86_64")]
                        Isa::Avx2 => check::<Avx2>(bytes),
                        #[cfg(target_arch = "aarch64")]
                        Isa::Neon => check::<Neon>(bytes),
                        _ => check::<Scalar>(bytes),
                    }
                }
            }
        }

        #[test]
        fn escaped_agrees_with_a_bytewise_reader(
            blocks in prop::collection::vec((any::<u64>(), any::<u64>()), 1..6),
        ) {
            let mut carry = false;
            let mut expected_carry = false;
            for (a, b) in blocks {
                let backslashes = a & b | a & 0xff00_0000_0000_00ff;
                let mut expected = 0;
                for at in 0..64 {
                    let is_escaped = std::mem::take(&mut expected_carry);
                    expected |= u64::from(is_escaped) << at;
                    expected_carry = backslashes >> at & 1 == 1 && !is_escaped;
                }
                prop_assert_eq!(escaped(backslashes, &mut carry), expected);
                prop_assert_eq!(carry, expected_carry);
            }
        }
    }
}
