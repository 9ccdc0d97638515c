//! Count the images that a message has, and read their sizes from their own headers.

use super::facts::{Facts, Field};
use super::said::equals;
use crate::bytes::View;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::ops::Range;

/// The API takes no image with a longer side, in pixels.
const LARGEST: usize = 8_000;
/// In a request with more than [`MANY`] images it takes no image with a longer side.
const LARGEST_OF_MANY: usize = 2_000;
/// How many images a request may have, for larger ones to be taken.
pub(crate) const MANY: u64 = 20;

/// Characters of base64 in which the size of an image is looked for first. In a JPEG it may stand further back.
const HEAD: usize = 1 << 16;
/// Characters in which it is looked for at most.
const MOST: usize = 1 << 23;

/// The images of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Images {
    pub(crate) count: u32,
    /// One is too large by itself.
    pub(crate) too_large: bool,
    /// One is too large among many.
    pub(crate) too_large_among_many: bool,
}

/// Return the images of a message, those in a tool's result included.
pub(crate) fn images(view: View, facts: &Facts, scratch: &mut Vec<u8>) -> Images {
    let mut images = Images::default();
    for block in &facts.blocks {
        let kind = block.get(Field::BlockType);
        let holder = if equals(view, kind.clone(), "image", scratch) {
            block.get(Field::BlockSource)
        } else if equals(view, kind, "tool_result", scratch) {
            block.get(Field::BlockContent).filter(|value| view.byte(value.start) == b'[')
        } else {
            None
        };
        if let Some(holder) = holder {
            add(view, holder, &mut images, scratch);
        }
    }
    images
}

/// Add the images of a source, or of a tool's result, which are known by the base64 in their `data`.
///
/// Programs write that key without blanks; in a text its quotes are escaped.
fn add(view: View, holder: Range<usize>, images: &mut Images, scratch: &mut Vec<u8>) {
    const KEY: &[u8] = b"\"data\":\"";
    let part = view.part(0..holder.end);
    let mut at = holder.start;
    while let Some(quote) = part.find(b'"', at) {
        let begin = quote + KEY.len();
        if begin > holder.end || !view.equals(quote..begin, KEY) {
            at = quote + 1;
            continue;
        }
        let Some(end) = part.find(b'"', begin) else { return };
        if let Some((width, height)) = size(view, begin..end, scratch) {
            let side = width.max(height);
            images.count += 1;
            images.too_large |= side > LARGEST;
            images.too_large_among_many |= side > LARGEST_OF_MANY;
        }
        at = end + 1;
    }
}

/// Return the width and height of the image whose base64 is in a range.
fn size(view: View, data: Range<usize>, scratch: &mut Vec<u8>) -> Option<(usize, usize)> {
    for most in [HEAD, MOST] {
        let end = data.end.min(data.start + most);
        let found = size_of(view.copy(data.start..end, scratch));
        if found.is_some() || end == data.end {
            return found;
        }
    }
    None
}

/// Return the width and height in pixels of the PNG, JPEG, GIF or WebP with which a text in base64 begins.
pub fn size_of(base64: &[u8]) -> Option<(usize, usize)> {
    let whole = &base64[..base64.len() / 4 * 4];
    let bytes = STANDARD.decode(whole).ok()?;
    imagesize::blob_size(&bytes).ok().map(|size| (size.width, size.height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::CancelToken;
    use crate::conversation::conversation_in;

    fn png(width: u32, height: u32) -> String {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend(b"\x08\x06\0\0\0");
        STANDARD.encode(bytes)
    }

    fn image(width: u32, height: u32) -> String {
        let data = png(width, height);
        format!(r#"{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{data}"}}}}"#)
    }

    fn refused(content: &str) -> usize {
        let line = format!(
            r#"{{"parentUuid":null,"type":"user","message":{{"role":"user","content":[{content}]}},"uuid":"a"}}"#
        );
        conversation_in(format!("{line}\n").as_bytes(), &CancelToken::never()).unwrap().refused().len()
    }

    #[test]
    fn images_over_the_limits_are_refused() {
        assert_eq!(refused(&image(8_000, 8_000)), 0);
        assert_eq!(refused(&image(8_001, 1)), 1);
        let result = |images: &[String]| {
            format!(r#"{{"type":"tool_result","tool_use_id":"t","content":[{}]}}"#, images.join(","))
        };
        assert_eq!(refused(&result(&[image(1, 1), image(1, 8_001)])), 1);
        let mut many = vec![image(1, 1); 19];
        many.push(image(2_001, 1));
        assert_eq!(refused(&result(&many)), 0);
        many.push(image(1, 1));
        assert_eq!(refused(&result(&many)), 1);
        many[19] = image(2_000, 2_000);
        assert_eq!(refused(&result(&many)), 0);
    }

    #[test]
    fn what_only_looks_like_an_image_counts_as_none() {
        let text = image(9_000, 9_000).replace('"', "\\\"");
        assert_eq!(refused(&format!(r#"{{"type":"text","text":"{text}"}}"#)), 0);
        let inner = format!(r#"[{{"type":"text","text":"{text}"}}]"#);
        assert_eq!(refused(&format!(r#"{{"type":"tool_result","tool_use_id":"t","content":{inner}}}"#)), 0);
        for data in ["", "!", "AAAA", "iVBORw0KGgo="] {
            let source = format!(r#"{{"type":"base64","data":"{data}"}}"#);
            assert_eq!(refused(&format!(r#"{{"type":"image","source":{source}}}"#)), 0);
        }
    }
}
