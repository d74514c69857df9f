//! One file, packed: gzip (RFC 1952), bzip2 and xz.

use std::io::Read;

use bzip2_rs::DecoderReader;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::Lzma2Reader;

use super::{
    budget::{Budget, Limit},
    contents::{Contents, Inner},
    kind::Kind,
};

/// The largest dictionary that is given memory, in octets: that of the highest setting of xz.
pub(crate) const MAX_DICTIONARY: u32 = 64 << 20;

/// The file inside. `name` is that of the packed file, from which programs make the name of what comes out.
pub(crate) fn read(kind: Kind, packed: &[u8], name: &str, budget: &mut Budget) -> Contents<'static> {
    let mut contents = Contents::default();
    let unpacked = match kind {
        Kind::Gzip => budget.unpack(packed.len(), MultiGzDecoder::new(packed)),
        Kind::Bzip2 => budget.unpack(packed.len(), DecoderReader::new(packed)),
        _ => xz(packed, budget, &mut contents),
    };
    let content = unpacked.map_err(|limit| contents.exceeded(limit)).ok();
    let mut names = vec![unpacked_name(name)];
    names.extend(MultiGzDecoder::new(packed).header().and_then(|header| header.filename()).map(lossy));
    names.dedup();
    contents.inner.push(Inner { names, content: content.map(Into::into) });
    contents
}

fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

fn unpacked_name(name: &str) -> String {
    let shortened = [("tgz", "tar"), ("tbz2", "tar"), ("txz", "tar"), ("svgz", "svg")];
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let long = shortened.iter().find(|(short, _)| extension.eq_ignore_ascii_case(short));
    long.map_or_else(|| stem.to_owned(), |(_, long)| format!("{stem}.{long}"))
}

/// The blocks of the first stream that LZMA2 packed, as nearly all are (The .xz File Format 1.2.1). What turned around addresses
/// in programs before that does not hide what a file is.
fn xz(packed: &[u8], budget: &mut Budget, contents: &mut Contents<'_>) -> Result<Vec<u8>, Limit> {
    const STREAM_HEADER: usize = 12;
    let mut unpacked = Vec::new();
    let mut rest = packed.get(STREAM_HEADER..).unwrap_or_default();
    while let Some((dictionary, data)) = block(rest) {
        if MAX_DICTIONARY < dictionary {
            contents.unopened("xz with a large dictionary");
            return Ok(unpacked);
        }
        let mut reader = Lzma2Reader::new(data, dictionary, None);
        let piece = budget.unpack(data.len(), reader.by_ref())?;
        if piece.is_empty() {
            break;
        }
        unpacked.extend(piece);
        // Padding and the check follow the data, and nothing says what a damaged block left unread.
        rest = after_check(packed, data, reader.into_inner());
    }
    if unpacked.is_empty() && rest.first().is_some_and(|size| *size != 0) {
        contents.unopened("xz with a filter");
    }
    Ok(unpacked)
}

/// Size of the dictionary, and what follows the header of a block (§3.1).
fn block(octets: &[u8]) -> Option<(u32, &[u8])> {
    let size = usize::from(*octets.first().filter(|&&size| size != 0)?) * 4 + 4;
    let flags = *octets.get(1)?;
    let mut at = 2;
    for is_given in [0x40, 0x80] {
        if flags & is_given != 0 {
            let digits = octets.get(at..at + 9)?;
            at += digits.iter().position(|octet| octet & 0x80 == 0)? + 1;
        }
    }
    for _ in 0..flags & 3 {
        let (id, length) = (*octets.get(at)?, usize::from(*octets.get(at + 1)?));
        if !(0x04..=0x0b).contains(&id) {
            return None;
        }
        at += 2 + length;
    }
    match octets.get(at..at + 3)? {
        [0x21, 1, bits] => Some((dictionary_size(*bits)?, octets.get(size..)?)),
        _ => None,
    }
}

/// As the flags of LZMA2 have it (§5.3.1).
pub(crate) fn dictionary_size(bits: u8) -> Option<u32> {
    match bits {
        0..40 => Some((2 | u32::from(bits & 1)) << (bits / 2 + 11)),
        40 => Some(u32::MAX),
        _ => None,
    }
}

fn after_check<'a>(packed: &[u8], data: &'a [u8], unread: &[u8]) -> &'a [u8] {
    let check = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64];
    let kind = packed.get(7).copied().unwrap_or_default() & 0x0f;
    let read = data.len() - unread.len();
    let to_next = read.next_multiple_of(4) + check.get(usize::from(kind)).copied().unwrap_or_default();
    data.get(to_next..).unwrap_or_default()
}
