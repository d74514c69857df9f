//! Signed and encrypted content (CMS, RFC 5652; S/MIME, RFC 8551): what is signed is taken out, and nothing is verified.

use flate2::read::ZlibDecoder;
use gatepost::finding::Severity;

use super::{
    budget::{Budget, Limit},
    contents::{Contents, Inner},
    kind::Kind,
};

/// Elements within elements.
const MAX_NESTING: usize = 16;

/// Elements that are stepped over on the way to the content: algorithms, and pieces of it.
const MAX_ELEMENTS: usize = 100_000;

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const EXPLICIT: u8 = 0xa0;
const OCTET_STRING: u8 = 0x04;
const OCTET_STRING_IN_PIECES: u8 = 0x24;

const SIGNED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
const ENVELOPED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03";
const AUTHENTICATED_ENVELOPED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17";
const COMPRESSED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09";

/// What the identifier at the beginning says.
pub(crate) fn kind(octets: &[u8]) -> Option<Kind> {
    let mut reader = Reader::new(octets);
    reader.enter(SEQUENCE)?;
    match reader.element(0)? {
        (OBJECT_IDENTIFIER, SIGNED_DATA | COMPRESSED_DATA) => Some(Kind::SignedMessage),
        (OBJECT_IDENTIFIER, ENVELOPED_DATA | AUTHENTICATED_ENVELOPED_DATA) => Some(Kind::EncryptedMessage),
        _ => None,
    }
}

/// The content, if it is inside and not beside. `name` is that of the file: `contract.pdf.p7m` holds `contract.pdf`.
pub(crate) fn read(octets: &[u8], name: &str, budget: &mut Budget) -> Contents<'static> {
    let mut contents = Contents::default();
    match content(octets, budget) {
        Err(limit) => contents.exceeded(limit),
        Ok(Some(content)) if !content.is_empty() => {
            let stem = name.rsplit_once('.').map_or("", |(stem, _)| stem).to_owned();
            // What is nothing else is a part of a message.
            let declared = if Kind::of(&content).is_none() && !stem.contains('.') { "message/rfc822" } else { "" };
            contents.inner.push(Inner { declared: declared.to_owned(), ..Inner::new(vec![stem], content) });
        }
        Ok(_) => {}
    }
    contents
}

/// For its reader alone.
pub(crate) fn encrypted() -> Contents<'static> {
    let mut contents = Contents::default();
    let detail = "the message is encrypted for its reader, so it cannot be inspected";
    contents.remark("encrypted_document", Severity::Review, detail);
    contents
}

fn content(octets: &[u8], budget: &mut Budget) -> Result<Option<Vec<u8>>, Limit> {
    let mut reader = Reader::new(octets);
    let found = reader.content();
    if reader.is_cut {
        return Err(Limit::Objects);
    }
    let Some((is_packed, pieces)) = found else { return Ok(None) };
    let length = pieces.iter().map(|piece| piece.len()).sum();
    budget.take_octets(length)?;
    let content = pieces.concat();
    if is_packed { budget.unpack(length, ZlibDecoder::new(content.as_slice())).map(Some) } else { Ok(Some(content)) }
}

/// What is left of a sequence of elements (X.690 §8.1).
struct Reader<'a> {
    rest: &'a [u8],
    elements_left: usize,
    /// There is more than is read.
    is_cut: bool,
}

impl<'a> Reader<'a> {
    fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets, elements_left: MAX_ELEMENTS, is_cut: false }
    }

    /// Whether the content is packed, and its octets: one string or pieces of one.
    fn content(&mut self) -> Option<(bool, Vec<&'a [u8]>)> {
        self.enter(SEQUENCE)?;
        let (_, kind) = self.element(0)?;
        self.enter(EXPLICIT)?;
        self.enter(SEQUENCE)?;
        // The version, and the algorithms.
        self.element(0)?;
        self.element(0)?;
        self.enter(SEQUENCE)?;
        self.element(0)?;
        self.enter(EXPLICIT)?;
        let mut pieces = Vec::new();
        self.pieces(&mut pieces, 0);
        Some((kind == COMPRESSED_DATA, pieces))
    }

    /// Recursive, and [`MAX_NESTING`] ends it.
    fn pieces(&mut self, pieces: &mut Vec<&'a [u8]>, nesting: usize) {
        self.is_cut |= nesting == MAX_NESTING;
        while nesting < MAX_NESTING && !self.rest.is_empty() {
            match self.rest.first() {
                Some(&OCTET_STRING) => match self.element(0) {
                    Some((_, piece)) => pieces.push(piece),
                    None => return self.cut_off(pieces),
                },
                Some(&OCTET_STRING_IN_PIECES) => match self.header() {
                    Some((_, Some(length))) => {
                        let (inner, after) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
                        let mut inner = Reader { rest: inner, ..*self };
                        inner.pieces(pieces, nesting + 1);
                        *self = Reader { rest: after, ..inner };
                    }
                    Some((_, None)) => {
                        self.pieces(pieces, nesting + 1);
                        self.rest = self.rest.strip_prefix(&[0, 0]).unwrap_or_default();
                    }
                    None => return,
                },
                _ => return,
            }
        }
    }

    /// The last piece of what was cut off.
    fn cut_off(&self, pieces: &mut Vec<&'a [u8]>) {
        let mut reader = Reader { rest: self.rest, elements_left: 1, is_cut: false };
        if reader.header().is_some() {
            pieces.push(reader.rest);
        }
    }

    /// Into the next element: without a stated length up to the end of what there is.
    fn enter(&mut self, tag: u8) -> Option<()> {
        let (found, length) = self.header()?;
        self.rest = length.and_then(|length| self.rest.get(..length)).unwrap_or(self.rest);
        (found == tag).then_some(())
    }

    /// The next element, stepped over.
    fn element(&mut self, nesting: usize) -> Option<(u8, &'a [u8])> {
        let (tag, length) = self.header()?;
        let start = self.rest;
        let length = match length {
            Some(length) => length,
            None if nesting < MAX_NESTING => {
                while !self.rest.starts_with(&[0, 0]) {
                    self.element(nesting + 1)?;
                }
                self.rest = self.rest.get(2..)?;
                return Some((tag, start.get(..start.len() - self.rest.len())?));
            }
            None => {
                self.is_cut = true;
                return None;
            }
        };
        let (body, rest) = start.split_at_checked(length)?;
        self.rest = rest;
        Some((tag, body))
    }

    /// Tag and length; a length that is not stated is `None`.
    fn header(&mut self) -> Option<(u8, Option<usize>)> {
        self.is_cut |= self.elements_left == 0;
        self.elements_left = self.elements_left.checked_sub(1)?;
        let (&[tag, first], rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        match first {
            0..0x80 => Some((tag, Some(usize::from(first)))),
            0x80 => Some((tag, None)),
            _ => {
                let (digits, rest) =
                    self.rest.split_at_checked(usize::from(first & 0x7f)).filter(|(digits, _)| digits.len() <= 4)?;
                self.rest = rest;
                Some((tag, Some(digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)))))
            }
        }
    }
}
