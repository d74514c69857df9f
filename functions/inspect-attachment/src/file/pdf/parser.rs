//! Values as they are written (ISO 32000-2 §7.2, §7.3), read as forgivingly as readers do.

use std::borrow::Cow;

use super::objects::{Dictionary, Value};

/// Objects within objects.
const MAX_NESTING: usize = 64;

/// Values of all objects that are kept.
const MAX_VALUES: usize = 1_000_000;

pub(super) struct Parser<'a> {
    octets: &'a [u8],
    pub(super) at: usize,
    /// The end of what was looked at, which may lie behind `at`.
    pub(super) seen: usize,
    values_left: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self { octets, at: 0, seen: 0, values_left: MAX_VALUES }
    }

    /// Whether there were more values than are kept.
    pub(super) fn is_cut(&self) -> bool {
        self.values_left == 0
    }

    fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.octets.get(self.at..).unwrap_or_default()
    }

    pub(super) fn skip_space(&mut self) {
        while let Some(octet) = self.peek() {
            match octet {
                b'%' => self.at += self.rest().iter().take_while(|octet| !matches!(octet, b'\r' | b'\n')).count(),
                0 | 9 | 10 | 12 | 13 | 32 => self.at += 1,
                _ => return,
            }
        }
    }

    /// Nothing that is not an object is stepped over, but for one octet: so whoever calls again gets on.
    pub(super) fn value(&mut self, nesting: usize) -> Option<Value<'a>> {
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

    pub(super) fn number(&mut self) -> Option<Value<'a>> {
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
        self.seen = self.seen.max(self.at);
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
        let text = hexadecimal(self.rest());
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
                    Some(Value::Number(_) | Value::Other) => {}
                    Some(value) => values.push(value),
                    None if self.values_left == 0 => return None,
                    // What is no value is stepped over, as readers do.
                    None => self.at += 1,
                },
            }
        }
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
                        None if self.values_left == 0 => break,
                        None => {}
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

/// Octets as pairs of digits, up to a `>`; what is no digit is left out, and a last digit without another is followed by 0.
pub(super) fn hexadecimal(octets: &[u8]) -> Vec<u8> {
    let mut digits =
        octets.iter().take_while(|octet| **octet != b'>').filter_map(|octet| char::from(*octet).to_digit(16));
    let mut text = Vec::new();
    while let Some(high) = digits.next() {
        text.extend(u8::try_from(high << 4 | digits.next().unwrap_or(0)).ok());
    }
    text
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
