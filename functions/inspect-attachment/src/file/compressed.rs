//! One file, packed: gzip (RFC 1952), bzip2, xz and LZMA. All but the last may be several streams, one behind the other.

use std::io::Read;

use bzip2_rs::DecoderReader;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::{Lzma2Reader, LzmaReader};
use memchr::memmem;

use super::{
    budget::{Budget, Limit},
    contents::{Contents, Inner},
    kind::Kind,
    octets::{u32_at, u64_at},
};

/// The largest dictionary that is given memory, in octets: that of the highest setting of xz.
pub(crate) const MAX_DICTIONARY: u32 = 64 << 20;

/// The file inside. `name` is that of the packed file, from which programs make the name of what comes out.
pub(crate) fn read(kind: Kind, packed: &[u8], name: &str, budget: &mut Budget) -> Contents<'static> {
    let mut contents = Contents::default();
    let unpacked = match kind {
        Kind::Gzip => budget.unpack(packed.len(), MultiGzDecoder::new(packed)),
        Kind::Bzip2 => bzip2(packed, budget),
        Kind::Lzma => lzma(packed, budget, &mut contents),
        _ => xz(packed, budget, &mut contents),
    };
    let content = unpacked.map_err(|limit| contents.exceeded(limit)).ok();
    let mut names = vec![unpacked_name(name)];
    names.extend(MultiGzDecoder::new(packed).header().and_then(|header| header.filename()).map(lossy));
    names.dedup();
    contents.inner.push(Inner { content: content.map(Into::into), ..Inner::named(names) });
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

/// Programs that pack in parallel write a stream, or a block of one, for each 900 kB.
const MAX_STREAMS: usize = 1_000;

/// The first stream to its end, and the others up to where the next begins.
fn bzip2(packed: &[u8], budget: &mut Budget) -> Result<Vec<u8>, Limit> {
    let mut unpacked = budget.unpack(packed.len(), DecoderReader::new(packed))?;
    let mut starts = bzip2_streams(packed).skip_while(|at| *at == 0).peekable();
    let mut streams = 1;
    while let Some(start) = starts.next() {
        streams += 1;
        if MAX_STREAMS < streams {
            return Err(Limit::Streams);
        }
        let stream = packed.get(start..*starts.peek().unwrap_or(&packed.len())).unwrap_or_default();
        unpacked.extend(budget.unpack(stream.len(), DecoderReader::new(stream))?);
    }
    Ok(unpacked)
}

fn bzip2_streams(packed: &[u8]) -> impl Iterator<Item = usize> {
    const FIRST_BLOCK: &[u8] = b"1AY&SY";
    let heads = memmem::find_iter(packed, FIRST_BLOCK).filter_map(|at| at.checked_sub(4));
    heads.filter(|at| matches!(packed.get(*at..at + 4), Some([b'B', b'Z', b'h', b'1'..=b'9'])))
}

/// Properties, dictionary and size in front of what is packed (lzma-file-format.txt of XZ Utils).
const LZMA_HEADER: usize = 13;

/// Whether this can be the header of a packed file, which has nothing else to be known by. Its first packed octet is zero.
pub(crate) fn is_lzma(octets: &[u8]) -> bool {
    let Some((dictionary, size)) = u32_at(octets, 1).zip(u64_at(octets, 5)) else { return false };
    let is_usual =
        dictionary.is_power_of_two() || (dictionary / 3 * 2).is_power_of_two() && dictionary.is_multiple_of(3);
    let is_size = size == u64::MAX || size < 1 << 38;
    let properties = octets.first().is_some_and(|properties| *properties < 225);
    properties && is_size && is_usual && 4096 <= dictionary && octets.get(LZMA_HEADER) == Some(&0)
}

fn lzma(packed: &[u8], budget: &mut Budget, contents: &mut Contents<'_>) -> Result<Vec<u8>, Limit> {
    let size = u64_at(packed, 5).unwrap_or(u64::MAX);
    let header = packed.get(..5).unwrap_or_default();
    match lzma_reader(header, size, packed.get(LZMA_HEADER..).unwrap_or_default()) {
        Some(reader) => budget.unpack(packed.len(), reader),
        None => {
            contents.unopened("LZMA with a large dictionary");
            Ok(Vec::new())
        }
    }
}

/// `header` is that of the coder: properties and dictionary. The size is [`u64::MAX`] where an end mark says where it ends. `None`
/// for a dictionary that is given no memory.
pub(crate) fn lzma_reader<'a>(header: &[u8], size: u64, packed: &'a [u8]) -> Option<LzmaReader<&'a [u8]>> {
    let (properties, dictionary) = header.first().zip(u32_at(header, 1))?;
    // No dictionary need be larger than all that comes out.
    let dictionary = u64::from(dictionary).min(size.max(4096));
    let dictionary = u32::try_from(dictionary).ok().filter(|size| *size <= MAX_DICTIONARY)?;
    LzmaReader::new_with_props(packed, size, *properties, dictionary, None).ok()
}

const XZ_MAGIC: &[u8] = b"\xfd7zXZ\0";

/// The blocks that LZMA2 packed, as nearly all are (The .xz File Format 1.2.1). What turned around addresses in programs before
/// that does not hide what a file is.
fn xz(packed: &[u8], budget: &mut Budget, contents: &mut Contents<'_>) -> Result<Vec<u8>, Limit> {
    let mut unpacked = Vec::new();
    let mut rest = packed;
    for _ in 0..MAX_STREAMS {
        rest = xz_stream(rest, &mut unpacked, budget, contents)?;
        // Behind the blocks come an index and a footer, which say nothing that is not known by then.
        let Some(next) = memmem::find(rest, XZ_MAGIC).and_then(|at| rest.get(at..)) else { return Ok(unpacked) };
        rest = next;
    }
    Err(Limit::Streams)
}

/// One stream; what follows its last block is returned.
fn xz_stream<'a>(
    packed: &'a [u8],
    unpacked: &mut Vec<u8>,
    budget: &mut Budget,
    contents: &mut Contents<'_>,
) -> Result<&'a [u8], Limit> {
    const STREAM_HEADER: usize = 12;
    let mut rest = packed.get(STREAM_HEADER..).unwrap_or_default();
    let mut blocks = 0;
    while let Some((dictionary, data)) = block(rest) {
        blocks += 1;
        if MAX_STREAMS < blocks {
            return Err(Limit::Streams);
        }
        if MAX_DICTIONARY < dictionary {
            contents.unopened("xz with a large dictionary");
            return Ok(data);
        }
        let mut reader = Lzma2Reader::new(data, dictionary, None);
        let piece = budget.unpack(data.len(), reader.by_ref())?;
        let unread = reader.into_inner();
        if piece.is_empty() && unread.len() == data.len() {
            return Ok(data);
        }
        unpacked.extend(piece);
        // Padding and the check follow the data, and nothing says what a damaged block left unread.
        rest = after_check(packed, data, unread);
    }
    // The index behind the last block begins with a zero.
    if rest.first().is_some_and(|size| *size != 0) {
        contents.unopened("xz with a filter");
    }
    Ok(rest)
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
