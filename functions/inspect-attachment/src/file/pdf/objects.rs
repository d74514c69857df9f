//! The objects of a PDF file (ISO 32000-2 §7.3), wherever they stand: readers rebuild a broken table of them, so it is not
//! believed here.

use std::borrow::Cow;

use memchr::memmem;

/// Objects within objects.
const MAX_NESTING: usize = 64;

/// Values of all objects that are kept.
pub(super) const MAX_VALUES: usize = 1_000_000;

/// Trailers that are read: each may run to the end of the file.
const MAX_TRAILERS: usize = 8;

/// An object, without what never does anything: numbers and references in arrays are left out.
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
    /// The octets behind the dictionary, still packed.
    pub(super) stream: Option<&'a [u8]>,
}

impl<'a> Dictionary<'a> {
    pub(super) fn get(&self, key: &[u8]) -> Option<&Value<'a>> {
        self.0.iter().find(|(known, _)| known.as_ref() == key).map(|(_, value)| value)
    }

    pub(super) fn is(&self, key: &[u8], name: &[u8]) -> bool {
        matches!(self.get(key), Some(Value::Name(known)) if known.as_ref() == name)
    }
}

/// All objects of the file, and whether there were more than are kept.
pub(super) fn objects(octets: &[u8]) -> (Vec<Object<'_>>, bool) {
    let mut parser = Parser { octets, at: 0, values_left: MAX_VALUES };
    let mut objects = Vec::new();
    let mut search = Search { octets, ends: None };
    while let Some(at) = memmem::find(octets.get(parser.at..).unwrap_or_default(), b"obj") {
        let at = parser.at + at;
        parser.at = at + 3;
        let before = octets.get(..at).unwrap_or_default();
        let Some(number) = number_before(before) else { continue };
        let value = parser.value(0);
        let stream = matches!(value, Some(Value::Dictionary(_))).then(|| search.stream(&mut parser)).flatten();
        objects.extend(value.map(|value| Object { number, value, stream }));
    }
    objects.extend(trailers(octets, &mut parser));
    (objects, parser.values_left == 0)
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

/// The objects in an unpacked stream of them: pairs of number and place, then the objects (§7.5.7).
pub(super) fn packed_objects(octets: &[u8], first: usize, count: usize) -> (Vec<Object<'_>>, bool) {
    let mut parser = Parser { octets, at: 0, values_left: MAX_VALUES };
    let mut places = Vec::new();
    for _ in 0..count.min(octets.len() / 2) {
        let (Some(Value::Number(number)), Some(Value::Number(at))) = (parser.number(), parser.number()) else { break };
        places.push((number, at));
    }
    let mut objects = Vec::new();
    let mut next = 0;
    for (number, at) in places {
        // Places go forwards; one that goes back would have the same octets read again and again.
        parser.at = first.saturating_add(at).max(next);
        objects.extend(parser.value(0).map(|value| Object {
            number: u32::try_from(number).unwrap_or(u32::MAX),
            value,
            stream: None,
        }));
        next = parser.at;
    }
    (objects, parser.values_left == 0)
}

/// The object number in `N G ` at the end of `before`.
fn number_before(before: &[u8]) -> Option<u32> {
    let tail = before.get(before.len().saturating_sub(40)..)?.trim_ascii_end();
    let digits = |octets: &[u8]| octets.iter().rev().take_while(|octet| octet.is_ascii_digit()).count();
    let generation = digits(tail);
    let tail = tail.get(..tail.len() - generation).filter(|_| 0 < generation)?.trim_ascii_end();
    let number = tail.get(tail.len() - digits(tail)..)?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// Finds the ends of streams without searching the same octets twice.
struct Search<'a> {
    octets: &'a [u8],
    /// Where the last search began and what it found.
    ends: Option<(usize, Option<usize>)>,
}

impl<'a> Search<'a> {
    /// The octets between `stream` and `endstream`, if the parser stands before them.
    fn stream(&mut self, parser: &mut Parser<'a>) -> Option<&'a [u8]> {
        parser.skip_space();
        let rest = self.octets.get(parser.at..)?.strip_prefix(b"stream")?;
        let rest = rest.strip_prefix(b"\r").unwrap_or(rest);
        let rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        let start = self.octets.len() - rest.len();
        let end = self.end_after(start).unwrap_or(self.octets.len());
        parser.at = end;
        self.octets.get(start..end)
    }

    fn end_after(&mut self, start: usize) -> Option<usize> {
        if let Some((from, end)) = self.ends
            && from <= start
            && end.is_none_or(|end| start <= end)
        {
            return end;
        }
        let end = memmem::find(self.octets.get(start..)?, b"endstream").map(|at| start + at);
        self.ends = Some((start, end));
        end
    }
}

struct Parser<'a> {
    octets: &'a [u8],
    at: usize,
    values_left: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.octets.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        while let Some(octet) = self.peek() {
            match octet {
                b'%' => self.at += self.rest().iter().take_while(|octet| !matches!(octet, b'\r' | b'\n')).count(),
                0 | 9 | 10 | 12 | 13 | 32 => self.at += 1,
                _ => return,
            }
        }
    }

    /// Nothing that is not an object is stepped over, but for one octet: so whoever calls again gets on.
    fn value(&mut self, nesting: usize) -> Option<Value<'a>> {
        self.skip_space();
        self.values_left = self.values_left.checked_sub(1)?;
        if MAX_NESTING < nesting {
            return None;
        }
        match self.peek()? {
            b'<' if self.rest().starts_with(b"<<") => self.dictionary(nesting),
            b'<' => Some(self.hexadecimal()),
            b'(' => Some(self.text()),
            b'/' => Some(Value::Name(self.name())),
            b'[' => self.array(nesting),
            b'0'..=b'9' => self.number_or_reference(),
            b'>' | b']' | b')' | b'}' | b'{' => None,
            _ => {
                self.keyword();
                Some(Value::Other)
            }
        }
    }

    fn keyword(&mut self) -> &'a [u8] {
        let length = self.rest().iter().take_while(|octet| is_regular(**octet)).count().max(1);
        let word = self.rest().get(..length).unwrap_or_default();
        self.at += length;
        word
    }

    fn number(&mut self) -> Option<Value<'a>> {
        self.skip_space();
        let word = self.peek().filter(u8::is_ascii_digit).map(|_| self.keyword())?;
        let number = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
        Some(number.map_or(Value::Other, Value::Number))
    }

    /// `N G R` is a reference.
    fn number_or_reference(&mut self) -> Option<Value<'a>> {
        let first = self.number()?;
        let Value::Number(number) = first else { return Some(first) };
        let after = self.at;
        if let Some(Value::Number(_)) = self.number() {
            self.skip_space();
            if self.peek() == Some(b'R') && self.octets.get(self.at + 1).is_none_or(|next| !is_regular(*next)) {
                self.at += 1;
                return Some(u32::try_from(number).map_or(Value::Other, Value::Reference));
            }
        }
        self.at = after;
        Some(first)
    }

    fn name(&mut self) -> Cow<'a, [u8]> {
        self.at += 1;
        let length = self.rest().iter().take_while(|octet| is_regular(**octet)).count();
        let name = self.rest().get(..length).unwrap_or_default();
        self.at += length;
        if !name.contains(&b'#') {
            return Cow::Borrowed(name);
        }
        Cow::Owned(unescaped_name(name))
    }

    fn hexadecimal(&mut self) -> Value<'a> {
        let length = self.rest().iter().take_while(|octet| **octet != b'>').count();
        let mut digits =
            self.rest().get(..length).unwrap_or_default().iter().filter_map(|octet| char::from(*octet).to_digit(16));
        let mut text = Vec::new();
        while let Some(high) = digits.next() {
            text.extend(u8::try_from(high << 4 | digits.next().unwrap_or(0)).ok());
        }
        self.at += length + 1;
        Value::Text(text)
    }

    fn text(&mut self) -> Value<'a> {
        let (mut text, mut open) = (Vec::new(), 0);
        while let Some(octet) = self.peek() {
            self.at += 1;
            match octet {
                b'(' => open += 1,
                b')' if open <= 1 => break,
                b')' => open -= 1,
                b'\\' => {
                    self.escape(&mut text);
                    continue;
                }
                _ => {}
            }
            if octet != b'(' || 1 < open {
                text.push(octet);
            }
        }
        Value::Text(text)
    }

    fn escape(&mut self, text: &mut Vec<u8>) {
        let Some(octet) = self.peek() else { return };
        if matches!(octet, b'0'..=b'7') {
            let digits: Vec<u8> =
                self.rest().iter().copied().take(3).take_while(|octet| matches!(octet, b'0'..=b'7')).collect();
            self.at += digits.len();
            text.push(digits.iter().fold(0_u8, |number, digit| number.wrapping_mul(8).wrapping_add(digit - b'0')));
            return;
        }
        self.at += 1;
        match octet {
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'\r' if self.peek() == Some(b'\n') => self.at += 1,
            b'\r' | b'\n' => {}
            other => text.push(other),
        }
    }

    fn array(&mut self, nesting: usize) -> Option<Value<'a>> {
        self.at += 1;
        let mut values = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                None => return Some(Value::Array(values)),
                Some(b']') => {
                    self.at += 1;
                    return Some(Value::Array(values));
                }
                _ => match self.value(nesting + 1) {
                    Some(Value::Number(_) | Value::Reference(_) | Value::Other) => {}
                    Some(value) => values.push(value),
                    None => return self.broken(values),
                },
            }
        }
    }

    fn broken(&mut self, values: Vec<Value<'a>>) -> Option<Value<'a>> {
        if self.values_left == 0 {
            return None;
        }
        Some(Value::Array(values))
    }

    fn dictionary(&mut self, nesting: usize) -> Option<Value<'a>> {
        self.at += 2;
        let mut entries = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                Some(b'/') => {
                    let key = self.name();
                    match self.value(nesting + 1) {
                        Some(value) => entries.push((key, value)),
                        None => break,
                    }
                }
                Some(b'>') => {
                    self.at += if self.rest().starts_with(b">>") { 2 } else { 1 };
                    break;
                }
                // What is no key is stepped over, up to what ends the object.
                Some(_) if ![&b"endobj"[..], b"stream", b"obj"].iter().any(|end| self.rest().starts_with(end)) => {
                    self.keyword();
                }
                _ => break,
            }
        }
        Some(Value::Dictionary(Dictionary(entries)))
    }
}

fn is_regular(octet: u8) -> bool {
    !matches!(octet, 0 | 9 | 10 | 12 | 13 | 32 | b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

/// `#` and two digits are an octet.
fn unescaped_name(name: &[u8]) -> Vec<u8> {
    let mut unescaped = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&octet, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| octet == b'#') {
            Some(hidden) => {
                unescaped.push(hidden);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                unescaped.push(octet);
                rest = after;
            }
        }
    }
    unescaped
}
