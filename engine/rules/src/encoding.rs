//! Text as it comes from outside: UTF-8, whatever somebody says it is.

/// What begins so is not UTF-8: the marks of UTF-16 and UTF-32, and a character of either without one.
const OTHER_MARKS: [&[u8]; 3] = [b"\xfe\xff", b"\xff\xfe", b"\0"];
/// What UTF-8 may begin with, and need not.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// `bytes` without the mark at their beginning.
///
/// # Errors
/// They are UTF-16 or UTF-32.
pub(crate) fn unmarked(bytes: &[u8]) -> Result<&[u8], String> {
    // No text that we take has a NUL in its second place: in UTF-16 without a mark, a character below 256 has.
    if OTHER_MARKS.iter().any(|mark| bytes.starts_with(mark)) || bytes.get(1) == Some(&0) {
        return Err("it is written in UTF-16 or UTF-32; only UTF-8 is taken".to_owned());
    }
    Ok(bytes.strip_prefix(MARK).unwrap_or(bytes))
}

/// Whether an encoding of this name is UTF-8, or a part of it.
pub(crate) fn is_utf8(name: &str) -> bool {
    ["utf-8", "utf8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_no_part_of_the_text() {
        assert_eq!(unmarked(b"\xef\xbb\xbf{}"), Ok(&b"{}"[..]));
        assert_eq!((unmarked(b"{}"), unmarked(b"")), (Ok(&b"{}"[..]), Ok(&b""[..])));
        for other in [&b"\xff\xfe{\0}\0"[..], b"\xfe\xff\0{\0}", b"{\0}\0", b"\0{\0}", b"\0\0\xfe\xff", b"{\0\0\0"] {
            assert!(unmarked(other).is_err(), "{other:?}");
        }
    }
}
