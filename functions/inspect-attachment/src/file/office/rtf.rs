//! Rich text (RTF 1.9.1): objects, templates and fields, however their control words are scattered.

use gatepost::finding::Severity;
use memchr::memmem;

use super::{binary, compound::MAGIC, open::is_elsewhere, package};
use crate::file::{
    budget::{Budget, Limit},
    contents::Contents,
    octets::usize_at,
};

/// Groups within groups that are followed.
const MAX_GROUPS: usize = 500;

/// What the text in a group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Destination {
    Other,
    ObjectData,
    Template,
    Instruction,
}

/// A walk through the control words.
struct Walk<'a> {
    groups: Vec<Destination>,
    destination: Destination,
    text: Vec<u8>,
    contents: Contents<'a>,
    is_updated: bool,
}

pub(crate) fn read(octets: &[u8], budget: &mut Budget) -> Contents<'static> {
    let mut walk = Walk {
        groups: Vec::new(),
        destination: Destination::Other,
        text: Vec::new(),
        contents: Contents::default(),
        is_updated: false,
    };
    if let Err(limit) = walk.run(octets, budget) {
        walk.contents.exceeded(limit);
    }
    walk.contents
}

impl Walk<'static> {
    fn run(&mut self, octets: &[u8], budget: &mut Budget) -> Result<(), Limit> {
        let mut rest = octets;
        while let Some((&octet, after)) = rest.split_first() {
            rest = after;
            match octet {
                b'{' if MAX_GROUPS <= self.groups.len() => return Err(Limit::Depth),
                b'{' => self.groups.push(self.destination),
                b'}' => {
                    let outer = self.groups.pop().unwrap_or(Destination::Other);
                    if outer != self.destination {
                        self.end(budget)?;
                    }
                    self.destination = outer;
                }
                b'\\' => rest = self.control(after),
                _ if self.destination != Destination::Other => self.text.push(octet),
                _ => {}
            }
        }
        self.end(budget)
    }

    fn control<'b>(&mut self, after: &'b [u8]) -> &'b [u8] {
        let length = after.iter().take_while(|octet| octet.is_ascii_alphabetic()).count();
        let (word, after) = after.split_at(length);
        if word.is_empty() {
            return self.symbol(after);
        }
        let digits = after
            .iter()
            .enumerate()
            .take_while(|(at, octet)| octet.is_ascii_digit() || *at == 0 && **octet == b'-')
            .count();
        let (number, after) = after.split_at(digits);
        let after = after.strip_prefix(b" ").unwrap_or(after);
        match word.to_ascii_lowercase().as_slice() {
            b"bin" => return self.binary(number, after),
            b"objdata" => self.begin(Destination::ObjectData),
            b"template" => self.begin(Destination::Template),
            b"fldinst" => self.begin(Destination::Instruction),
            b"objupdate" | b"objautlink" => self.is_updated = true,
            _ => {}
        }
        after
    }

    fn symbol<'b>(&mut self, after: &'b [u8]) -> &'b [u8] {
        let Some((&symbol, after)) = after.split_first() else { return after };
        if symbol != b'\'' {
            if matches!(symbol, b'\\' | b'{' | b'}') && self.destination != Destination::Other {
                self.text.push(symbol);
            }
            return after;
        }
        let (digits, after) = after.split_at(after.len().min(2));
        if self.destination != Destination::Other && self.destination != Destination::ObjectData {
            self.text.extend(unhexed(digits));
        }
        after
    }

    /// `\binN` is followed by so many octets as they are.
    fn binary<'b>(&mut self, number: &[u8], after: &'b [u8]) -> &'b [u8] {
        let length = std::str::from_utf8(number).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0);
        let (data, after) = after.split_at(after.len().min(length));
        if self.destination == Destination::ObjectData {
            self.text.extend(data.iter().flat_map(|octet| format!("{octet:02x}").into_bytes()));
        }
        after
    }

    fn begin(&mut self, destination: Destination) {
        self.destination = destination;
        self.text.clear();
    }

    fn end(&mut self, budget: &mut Budget) -> Result<(), Limit> {
        let text = std::mem::take(&mut self.text);
        match self.destination {
            Destination::ObjectData => self.object(&unhexed(&text), budget)?,
            Destination::Template => self.template(&String::from_utf8_lossy(&text)),
            Destination::Instruction => self.instruction(&String::from_utf8_lossy(&text)),
            Destination::Other => {}
        }
        Ok(())
    }

    fn template(&mut self, target: &str) {
        let target = target.trim();
        if is_elsewhere(target) {
            let detail = "the document loads a template from elsewhere when it is opened";
            self.contents.remark("remote_template", Severity::Quarantine, detail);
            self.contents.link(target);
        }
    }

    fn instruction(&mut self, text: &str) {
        let mut words = text.split_whitespace();
        let kind = words.next().unwrap_or_default().to_ascii_uppercase();
        let target = words.find(|word| !word.starts_with('\\')).unwrap_or_default().trim_matches('"');
        match kind.as_str() {
            "DDE" | "DDEAUTO" => binary::dde(&mut self.contents),
            "HYPERLINK" => self.contents.link(target),
            "INCLUDEPICTURE" | "INCLUDETEXT" | "IMPORT" | "INCLUDE" => self.contents.link(target),
            _ => {}
        }
    }

    /// An object of OLE 1.0 ([MS-OLEDS] §2.2), or one of OLE 2 in it.
    fn object(&mut self, data: &[u8], budget: &mut Budget) -> Result<(), Limit> {
        if data.is_empty() {
            return Ok(());
        }
        budget.take_octets(data.len())?;
        let class = class_name(data).unwrap_or_default().to_ascii_lowercase();
        let is_risky = self.is_updated || class.starts_with(b"equation") || class.starts_with(b"ole2link");
        let severity = if is_risky { Severity::Quarantine } else { Severity::Review };
        let detail = match is_risky {
            true => "the text embeds an object of a kind that attacks the program that opens it",
            false => "the text embeds an object",
        };
        let storage = memmem::find(data, MAGIC).and_then(|at| data.get(at..));
        let is_document = class.starts_with(b"excel.") || class.starts_with(b"word.") || class.starts_with(b"msgraph.");
        if is_risky || !is_document {
            self.contents.remark("embedded_object", severity, detail);
        }
        match (storage, native(data).and_then(package::parse)) {
            (Some(storage), _) => self.contents.file("", storage.to_vec()),
            (None, Some((names, file))) => self.contents.inner.push(package::inner(names, file)),
            (None, None) => {}
        }
        Ok(())
    }
}

/// Version and format, then the name with its length in front.
fn class_name(data: &[u8]) -> Option<&[u8]> {
    let length = usize_at(data, 8)?;
    data.get(12..)?.get(..length)
}

/// What follows class, topic and item names, and its own length.
fn native(data: &[u8]) -> Option<&[u8]> {
    let mut at = 8;
    for _ in 0..3 {
        at = usize::checked_add(at, 4)?.checked_add(usize_at(data, at)?)?;
    }
    data.get(at + 4..)
}

/// Pairs of digits; whatever stands between them is overlooked, as Word does.
fn unhexed(text: &[u8]) -> Vec<u8> {
    let mut digits = text.iter().filter_map(|octet| char::from(*octet).to_digit(16));
    let octets = std::iter::from_fn(|| Some(digits.next()? << 4 | digits.next()?));
    octets.filter_map(|octet| u8::try_from(octet).ok()).collect()
}
