//! Rich text (RTF 1.9.1): objects, templates and fields, however their control words are scattered.

use gatepost::finding::Severity;
use memchr::memmem;

use super::{compound::MAGIC, field, package, relations::is_elsewhere};
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
    ObjectData,
    ObjectClass,
    Template,
    Instruction,
    /// What readers leave out.
    Unknown,
}

/// A group that has a destination of its own; groups in it are part of it.
struct Text {
    group: usize,
    destination: Destination,
    text: Vec<u8>,
    /// Control words stand between the digits of an object, where no program writes any.
    is_scattered: bool,
}

/// A walk through the control words.
struct Walk<'a> {
    /// Octets that stand for each character given by its number, in each group that is open.
    groups: Vec<usize>,
    texts: Vec<Text>,
    contents: Contents<'a>,
    is_updated: bool,
    /// The next control word may be left out by readers that do not know it.
    is_optional: bool,
    /// Octets that stand for a character given by its number.
    skipped: usize,
}

pub(crate) fn read(octets: &[u8], budget: &mut Budget) -> Contents<'static> {
    let mut walk = Walk {
        groups: Vec::new(),
        texts: Vec::new(),
        contents: Contents::default(),
        is_updated: false,
        is_optional: false,
        skipped: 0,
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
                b'{' => {
                    self.scatter();
                    self.groups.push(self.groups.last().copied().unwrap_or(1));
                }
                b'}' => self.close(budget)?,
                b'\\' => rest = self.control(after),
                b'\r' | b'\n' => {}
                _ => self.push(octet),
            }
        }
        while !self.texts.is_empty() {
            self.close(budget)?;
        }
        Ok(())
    }

    fn close(&mut self, budget: &mut Budget) -> Result<(), Limit> {
        let group = self.groups.len();
        while let Some(text) = self.texts.pop_if(|text| group <= text.group) {
            self.end(&text, budget)?;
        }
        self.groups.pop();
        self.skipped = 0;
        Ok(())
    }

    fn push(&mut self, octet: u8) {
        if let Some(text) = self.texts.last_mut() {
            match self.skipped.checked_sub(1) {
                Some(left) => self.skipped = left,
                None => text.text.push(octet),
            }
        }
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
        let is_optional = std::mem::take(&mut self.is_optional);
        match word.to_ascii_lowercase().as_slice() {
            b"bin" => return self.binary(number, after),
            b"objdata" => self.begin(Destination::ObjectData),
            b"objclass" => self.begin(Destination::ObjectClass),
            b"template" => self.begin(Destination::Template),
            b"fldinst" => self.begin(Destination::Instruction),
            b"objupdate" | b"objautlink" => self.is_updated = true,
            b"uc" => {
                if let Some(octets) = self.groups.last_mut() {
                    *octets = integer(number).and_then(|octets| usize::try_from(octets).ok()).unwrap_or(1);
                }
            }
            b"u" => self.character(number),
            _ if is_optional && self.is_in_object() => {
                self.scatter();
                self.begin(Destination::Unknown);
            }
            _ => self.scatter(),
        }
        after
    }

    /// A character by its number, which is negative above 32,767.
    fn character(&mut self, number: &[u8]) {
        self.scatter();
        let character = integer(number).and_then(|number| u32::try_from(number.rem_euclid(0x1_0000)).ok());
        self.skipped = 0;
        let mut octets = [0; 4];
        if let Some(character) = character.and_then(char::from_u32) {
            character.encode_utf8(&mut octets).bytes().for_each(|octet| self.push(octet));
        }
        self.skipped = self.groups.last().copied().unwrap_or(1);
    }

    fn is_in_object(&self) -> bool {
        self.texts.last().is_some_and(|text| text.destination == Destination::ObjectData)
    }

    fn scatter(&mut self) {
        if let Some(text) = self.texts.last_mut() {
            text.is_scattered = true;
        }
    }

    fn symbol<'b>(&mut self, after: &'b [u8]) -> &'b [u8] {
        let Some((&symbol, after)) = after.split_first() else { return after };
        match symbol {
            b'*' => self.is_optional = true,
            b'\\' | b'{' | b'}' => self.push(symbol),
            b'\'' => {
                self.scatter();
                let (digits, after) = after.split_at(after.len().min(2));
                if !self.is_in_object() {
                    unhexed(digits).into_iter().for_each(|octet| self.push(octet));
                }
                return after;
            }
            _ => {}
        }
        after
    }

    /// `\binN` is followed by so many octets as they are.
    fn binary<'b>(&mut self, number: &[u8], after: &'b [u8]) -> &'b [u8] {
        let length = integer(number).and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let (data, after) = after.split_at(after.len().min(length));
        let is_in_object = self.is_in_object();
        if let Some(text) = self.texts.last_mut() {
            match is_in_object {
                true => text.text.extend(data.iter().flat_map(|octet| format!("{octet:02x}").into_bytes())),
                false => text.text.extend_from_slice(data),
            }
        }
        after
    }

    fn begin(&mut self, destination: Destination) {
        self.texts.push(Text { group: self.groups.len(), destination, text: Vec::new(), is_scattered: false });
    }

    fn end(&mut self, text: &Text, budget: &mut Budget) -> Result<(), Limit> {
        let words = String::from_utf8_lossy(&text.text);
        match text.destination {
            Destination::ObjectData => {
                if text.is_scattered {
                    let detail = "the text embeds an object whose data is scattered between other things to hide it";
                    self.contents.remark("embedded_object", Severity::Quarantine, detail);
                }
                self.object(&unhexed(&text.text), budget)?;
            }
            Destination::ObjectClass if is_attacked(words.trim().as_bytes()) => self.attacks(),
            Destination::Template => self.template(&words),
            Destination::Instruction => field::instruction(&words, &mut self.contents),
            Destination::ObjectClass | Destination::Unknown => {}
        }
        Ok(())
    }

    fn attacks(&mut self) {
        let detail = "the text embeds an object of a kind that attacks the program that opens it";
        self.contents.remark("embedded_object", Severity::Quarantine, detail);
    }

    fn template(&mut self, target: &str) {
        let target = target.trim();
        if is_elsewhere(target) {
            let detail = "the document loads a template from elsewhere when it is opened";
            self.contents.remark("remote_template", Severity::Quarantine, detail);
            self.contents.link(target);
        }
    }

    /// An object of OLE 1.0 ([MS-OLEDS] §2.2), or one of OLE 2 in it.
    fn object(&mut self, data: &[u8], budget: &mut Budget) -> Result<(), Limit> {
        if data.is_empty() {
            return Ok(());
        }
        budget.take_octets(data.len())?;
        let class = class_name(data).unwrap_or_default().to_ascii_lowercase();
        if self.is_updated || is_attacked(&class) {
            self.attacks();
        } else if !["excel.", "word.", "msgraph."].iter().any(|document| class.starts_with(document.as_bytes())) {
            self.contents.remark("embedded_object", Severity::Review, "the text embeds an object");
        }
        let storage = memmem::find(data, MAGIC).and_then(|at| data.get(at..));
        match (storage, native(data).and_then(package::parse)) {
            (Some(storage), _) => self.contents.file("", storage.to_vec()),
            (None, Some((names, file))) => self.contents.inner.push(package::inner(names, file)),
            (None, None) => {}
        }
        Ok(())
    }
}

fn integer(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether the program of a class is attacked by its objects, which hardly anybody else makes.
fn is_attacked(class: &[u8]) -> bool {
    let class = class.to_ascii_lowercase();
    ["equation", "ole2link", "otkloadr", "shell.explorer", "htmlfile", "scriptletfile", "soap"]
        .iter()
        .any(|attacked| class.starts_with(attacked.as_bytes()))
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
