//! The objects of a PDF file (ISO 32000-2 §7.3), wherever they stand: readers rebuild a broken table of them, and a table may
//! point anywhere, so it is not believed here.

use std::borrow::Cow;

use memchr::memmem;

use super::parser::Parser;

/// Trailers that are read: each may run to the end of the file.
const MAX_TRAILERS: usize = 8;

/// How many times the octets of the file are read again for objects within strings and streams of others.
const MAX_HIDDEN: usize = 4;

/// An object, without what never does anything: numbers in arrays are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Name(Cow<'a, [u8]>),
    Text(Vec<u8>),
    Number(usize),
    Dictionary(Dictionary<'a>),
    Array(Vec<Self>),
    Reference(u32),
    Other,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dictionary<'a>(pub(super) Vec<(Cow<'a, [u8]>, Value<'a>)>);

/// What stands between `obj` and `endobj`, or in a stream of objects.
#[derive(Debug)]
pub(super) struct Object<'a> {
    pub(super) number: u32,
    pub(super) value: Value<'a>,
    pub(super) stream: Option<Stream<'a>>,
}

/// The octets behind a dictionary, still packed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream<'a> {
    /// Up to the first `endstream`.
    pub(super) octets: &'a [u8],
    /// The file from where the stream begins.
    rest: &'a [u8],
}

impl<'a> Dictionary<'a> {
    /// Of equal keys the last, as most readers have it.
    pub(super) fn get(&self, key: &[u8]) -> Option<&Value<'a>> {
        self.0.iter().rev().find(|(known, _)| known.as_ref() == key).map(|(_, value)| value)
    }

    /// Whether any of equal keys has this name.
    pub(super) fn is(&self, key: &[u8], name: &[u8]) -> bool {
        self.0.iter().any(|(known, value)| {
            known.as_ref() == key && matches!(value, Value::Name(known) if known.as_ref() == name)
        })
    }
}

impl<'a> Stream<'a> {
    /// Up to the stated length where that leads to a later `endstream`: the first may be of the packed octets.
    pub(super) fn of_length(self, length: usize) -> &'a [u8] {
        const BLANKS: usize = 4;
        let Some((octets, after)) = self.rest.split_at_checked(length) else { return self.octets };
        let end = after.get(..BLANKS + 9).unwrap_or(after).trim_ascii_start();
        if self.octets.len() < length && end.starts_with(b"endstream") { octets } else { self.octets }
    }
}

/// All objects of the file, and whether there were more than are kept.
pub(super) fn objects(octets: &[u8]) -> (Vec<Object<'_>>, bool) {
    let mut parser = Parser::new(octets);
    let (mut objects, mut end, mut is_cut) = (Vec::new(), 0, false);
    let mut hidden_left = octets.len().saturating_mul(MAX_HIDDEN);
    let search = Search { octets, ends: memmem::find_iter(octets, b"endstream").collect() };
    for at in memmem::find_iter(octets, b"obj") {
        let Some(number) = number_before(octets, at) else { continue };
        // In a string or a stream of another object.
        let is_hidden = at < end;
        if is_hidden && hidden_left == 0 {
            is_cut = true;
            continue;
        }
        (parser.at, parser.seen) = (at + 3, 0);
        let value = parser.value(0);
        if is_hidden {
            hidden_left = hidden_left.saturating_sub(parser.seen.max(parser.at) - at);
        }
        let stream = matches!(value, Some(Value::Dictionary(_))).then(|| search.stream(&mut parser)).flatten();
        objects.extend(value.map(|value| Object { number, value, stream }));
        end = end.max(parser.at).max(parser.seen);
    }
    objects.extend(trailers(octets, &mut parser));
    (objects, is_cut || parser.is_cut())
}

/// The dictionaries behind `trailer`.
fn trailers<'a>(octets: &'a [u8], parser: &mut Parser<'a>) -> Vec<Object<'a>> {
    let mut trailers = Vec::new();
    for at in memmem::find_iter(octets, b"trailer").take(MAX_TRAILERS) {
        parser.at = at + 7;
        trailers.extend(parser.value(0).map(|value| Object { number: u32::MAX, value, stream: None }));
    }
    trailers
}

/// The objects in an unpacked stream of them: pairs of number and place, then the objects (§7.5.7). What is not stated is what
/// there is.
pub(super) fn packed_objects(octets: &[u8], first: Option<usize>, count: Option<usize>) -> (Vec<Object<'_>>, bool) {
    let mut parser = Parser::new(octets);
    let mut places = Vec::new();
    for _ in 0..count.unwrap_or(usize::MAX).min(octets.len() / 2) {
        let (Some(Value::Number(number)), Some(Value::Number(at))) = (parser.number(), parser.number()) else { break };
        places.push((at, number));
    }
    let first = first.unwrap_or(parser.at);
    places.sort_unstable();
    places.dedup();
    let (mut objects, mut end, mut is_cut) = (Vec::new(), 0, false);
    let mut hidden_left = octets.len().saturating_mul(MAX_HIDDEN);
    for (at, number) in places {
        let at = first.saturating_add(at);
        if at < end && hidden_left == 0 {
            is_cut = true;
            continue;
        }
        (parser.at, parser.seen) = (at, 0);
        let value = parser.value(0);
        if at < end {
            hidden_left = hidden_left.saturating_sub(parser.seen.max(parser.at) - at);
        }
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        objects.extend(value.map(|value| Object { number, value, stream: None }));
        end = end.max(parser.at).max(parser.seen);
    }
    (objects, is_cut || parser.is_cut())
}

/// The object number in `N G ` before the `obj` at this place; [`u32::MAX`] where none is written but an object follows.
fn number_before(octets: &[u8], at: usize) -> Option<u32> {
    let before = octets.get(..at)?;
    let tail = before.get(before.len().saturating_sub(40)..)?.trim_ascii_end();
    let digits = |octets: &[u8]| octets.iter().rev().take_while(|octet| octet.is_ascii_digit()).count();
    let number = || {
        let generation = digits(tail);
        let tail = tail.get(..tail.len() - generation).filter(|_| 0 < generation)?.trim_ascii_end();
        let number = tail.get(tail.len() - digits(tail)..)?;
        std::str::from_utf8(number).ok()?.parse().ok()
    };
    let is_dictionary = || octets.get(at + 3..at + 13).is_some_and(|next| next.trim_ascii_start().starts_with(b"<<"));
    number().or_else(|| (!tail.ends_with(b"end") && is_dictionary()).then_some(u32::MAX))
}

/// Finds the ends of streams without searching the same octets twice.
struct Search<'a> {
    octets: &'a [u8],
    /// Where each `endstream` is.
    ends: Vec<usize>,
}

impl<'a> Search<'a> {
    /// The octets between `stream` and `endstream`, if the parser stands before them.
    fn stream(&self, parser: &mut Parser<'a>) -> Option<Stream<'a>> {
        parser.skip_space();
        let rest = self.octets.get(parser.at..)?.strip_prefix(b"stream")?;
        let rest = rest.strip_prefix(b"\r").unwrap_or(rest);
        let rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        let start = self.octets.len() - rest.len();
        let next = self.ends.partition_point(|end| *end < start);
        let end = self.ends.get(next).copied().unwrap_or(self.octets.len());
        parser.at = end;
        Some(Stream { octets: self.octets.get(start..end)?, rest })
    }
}
