//! Numbers and pieces of a file at a place, where there are any.

/// `length` octets at `at`.
pub(crate) fn slice(octets: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    octets.get(at..at.checked_add(length)?)
}

fn array<const N: usize>(octets: &[u8], at: usize) -> Option<[u8; N]> {
    slice(octets, at, N)?.try_into().ok()
}

/// Little-endian, as in all formats of Microsoft and in archives.
pub(crate) fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    array(octets, at).map(u16::from_le_bytes)
}

pub(crate) fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    array(octets, at).map(u32::from_le_bytes)
}

pub(crate) fn u64_at(octets: &[u8], at: usize) -> Option<u64> {
    array(octets, at).map(u64::from_le_bytes)
}

/// Four octets as a place or a length.
pub(crate) fn usize_at(octets: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32_at(octets, at)?).ok()
}

/// UTF-16, little-endian; what is none becomes U+FFFD.
pub(crate) fn utf16_text(octets: &[u8]) -> String {
    let units = octets.as_chunks::<2>().0.iter().map(|&unit| u16::from_le_bytes(unit));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn utf16_big_endian_text(octets: &[u8]) -> String {
    let swapped: Vec<u8> = octets.as_chunks::<2>().0.iter().flat_map(|&[high, low]| [low, high]).collect();
    utf16_text(&swapped)
}

/// The text of a file that says by its byte order mark how it is written, or else is UTF-8 or something that ASCII is part of.
pub(crate) fn text_of(octets: &[u8]) -> std::borrow::Cow<'_, str> {
    match octets {
        [0xff, 0xfe, rest @ ..] => utf16_text(rest).into(),
        [0xfe, 0xff, rest @ ..] => utf16_big_endian_text(rest).into(),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest),
        [b'<', 0, ..] => utf16_text(octets).into(),
        [0, b'<', ..] => utf16_big_endian_text(octets).into(),
        _ => String::from_utf8_lossy(octets),
    }
}
