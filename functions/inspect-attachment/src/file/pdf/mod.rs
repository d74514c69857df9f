//! PDF files: what they do when they are opened, what they carry, and where they lead.

mod actions;
mod form;
mod objects;
mod parser;
mod picture_object;
mod print;
mod streams;

use std::collections::{HashMap, HashSet};

use gatepost::finding::Severity;

use self::{
    actions::{Actions, Trigger, judge_script},
    objects::{Dictionary, Object, Stream, Value, objects, packed_objects},
    streams::Packing,
};
use super::{
    budget::{Budget, Limit},
    contents::{Contents, Inner},
    kind::Kind,
    picture,
};

/// Values within values that are followed when judging.
const MAX_NESTING: usize = 70;

/// References to references.
const MAX_REFERENCES: usize = 8;

/// Objects of one number that are known: each time a file is changed it may get one more.
const MAX_VERSIONS: usize = 256;

pub(crate) fn read(octets: &[u8], budget: &mut Budget) -> Contents<'static> {
    let mut contents = Contents::default();
    if let Err(limit) = read_file(octets, budget, &mut contents) {
        contents.exceeded(limit);
    }
    contents
}

fn read_file(octets: &[u8], budget: &mut Budget, contents: &mut Contents<'static>) -> Result<(), Limit> {
    let (plain, mut is_cut) = objects(octets);
    let plain = File::of(plain)?;
    let mut unpacked = Vec::new();
    for object in &plain.objects {
        if let Some((dictionary, stream)) = stream_of(object)
            && is_object_stream(dictionary)
        {
            let [first, count] = [&b"First"[..], b"N"].map(|key| plain.number(dictionary.get(key)));
            unpacked.push((plain.unpack(dictionary, stream, budget)?, first, count));
        }
    }
    let mut all = plain.objects;
    for (octets, first, count) in &unpacked {
        let (packed, is_packed_cut) = packed_objects(octets, *first, *count);
        is_cut |= is_packed_cut;
        all.extend(packed);
    }
    let file = File::of(all)?;
    let actions = Actions::of(&file, budget)?;
    file.judge(&actions, budget, contents)?;
    if is_cut { Err(Limit::Objects) } else { file.streams(&actions, budget, contents) }
}

fn stream_of<'o, 'a>(object: &'o Object<'a>) -> Option<(&'o Dictionary<'a>, Stream<'a>)> {
    match (&object.value, object.stream) {
        (Value::Dictionary(dictionary), Some(stream)) => Some((dictionary, stream)),
        _ => None,
    }
}

/// Readers go by the table of the file, and not all of them by the type.
fn is_object_stream(dictionary: &Dictionary<'_>) -> bool {
    dictionary.is(b"Type", b"ObjStm") || dictionary.get(b"N").and(dictionary.get(b"First")).is_some()
}

struct File<'a> {
    objects: Vec<Object<'a>>,
    /// Where the objects of each number are. Readers differ in which of several they take.
    places: HashMap<u32, Vec<usize>>,
}

impl<'a> File<'a> {
    fn of(objects: Vec<Object<'a>>) -> Result<Self, Limit> {
        let mut places: HashMap<u32, Vec<usize>> = HashMap::new();
        for (place, object) in objects.iter().enumerate().filter(|(_, object)| object.number != u32::MAX) {
            let versions = places.entry(object.number).or_default();
            if MAX_VERSIONS <= versions.len() {
                return Err(Limit::Objects);
            }
            versions.push(place);
        }
        Ok(Self { objects, places })
    }

    /// All objects of a number, the last first.
    fn versions(&self, number: u32) -> impl Iterator<Item = &Object<'a>> {
        let places = self.places.get(&number).map(Vec::as_slice).unwrap_or_default();
        places.iter().rev().filter_map(|place| self.objects.get(*place))
    }

    /// What a reference leads to.
    fn resolve<'s>(&'s self, value: &'s Value<'a>) -> Option<&'s Value<'a>> {
        let mut value = value;
        for _ in 0..MAX_REFERENCES {
            let Value::Reference(number) = value else { return Some(value) };
            value = self.versions(*number).next().map(|object| &object.value)?;
        }
        None
    }

    fn number(&self, value: Option<&Value<'a>>) -> Option<usize> {
        match value.and_then(|value| self.resolve(value)) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    fn packed(&self, dictionary: &Dictionary<'a>, stream: Stream<'a>, budget: &mut Budget) -> Result<&'a [u8], Limit> {
        let packed = self.number(dictionary.get(b"Length")).map_or(stream.octets, |length| stream.of_length(length));
        // Streams that reach over others are read more than once.
        budget.take_octets(packed.len() - stream.octets.len())?;
        Ok(packed)
    }

    fn unpack(&self, dictionary: &Dictionary<'a>, stream: Stream<'a>, budget: &mut Budget) -> Result<Vec<u8>, Limit> {
        let packed = self.packed(dictionary, stream, budget)?;
        self.packing(dictionary, budget)?.unpack(packed, budget)
    }

    fn packing<'s>(&'s self, dictionary: &'s Dictionary<'a>, budget: &mut Budget) -> Result<Packing<'s>, Limit> {
        let resolve = |value| self.resolve(value);
        budget.take_reread(Packing::weight(dictionary, &resolve))?;
        Ok(Packing::of(dictionary, &resolve))
    }

    fn judge(&self, actions: &Actions, budget: &mut Budget, contents: &mut Contents<'static>) -> Result<(), Limit> {
        let mut judge = Judge { file: self, actions, budget, contents, addresses: HashSet::new() };
        self.objects.iter().try_for_each(|object| judge.value(&object.value, actions.trigger(object.number), 0))
    }

    /// Texts, or those that are referred to, whichever version of them a reader takes.
    fn texts(&self, value: &Value<'a>, budget: &mut Budget) -> Result<Vec<String>, Limit> {
        match value {
            Value::Text(text) => Ok(vec![text_string(text)]),
            Value::Dictionary(file) => Ok(file_names(file).into_iter().take(1).collect()),
            Value::Reference(number) => self.versions(*number).map(|object| self.text_of(object, budget)).collect(),
            _ => Ok(Vec::new()),
        }
    }

    /// What a stream unpacks to, or a text holds.
    fn octets_of(&self, object: &Object<'a>, budget: &mut Budget) -> Result<Vec<u8>, Limit> {
        if let Some((dictionary, stream)) = stream_of(object) {
            return self.unpack(dictionary, stream, budget);
        }
        let Some(Value::Text(text)) = self.resolve(&object.value) else { return Ok(Vec::new()) };
        budget.take_reread(text.len())?;
        Ok(text.clone())
    }

    fn text_of(&self, object: &Object<'a>, budget: &mut Budget) -> Result<String, Limit> {
        if let Some((dictionary, stream)) = stream_of(object) {
            return Ok(text_string(&self.unpack(dictionary, stream, budget)?));
        }
        let text = match self.resolve(&object.value) {
            Some(Value::Text(text)) => {
                budget.take_reread(text.len())?;
                text_string(text)
            }
            Some(Value::Dictionary(file)) => {
                budget.take_reread(file.0.len())?;
                file_names(file).into_iter().next().unwrap_or_default()
            }
            _ => String::new(),
        };
        budget.take_reread(1 + text.len())?;
        Ok(text)
    }

    /// Embedded files are files of their own, and so is what only looks like one; of the others only the size matters, and that
    /// of pictures is no secret.
    fn streams(&self, actions: &Actions, budget: &mut Budget, contents: &mut Contents<'static>) -> Result<(), Limit> {
        for object in &self.objects {
            let Some((dictionary, stream)) = stream_of(object) else { continue };
            if dictionary.is(b"Subtype", b"Image")
                && let Err(limit) = self.picture(dictionary, stream, budget, contents)
            {
                picture::unread(limit, contents);
            }
            if actions.forms.contains(&object.number) {
                form::judge(&text_string(&self.unpack(dictionary, stream, budget)?), contents);
            }
            let names = actions.embedded.get(&object.number);
            if names.is_some() || dictionary.is(b"Type", b"EmbeddedFile") || self.carries(object, budget)? {
                budget.take_entry()?;
                let content = self.unpack(dictionary, stream, budget)?;
                let names = names.map_or_else(|| vec![String::new()], |names| names.to_vec());
                contents.inner.push(Inner::new(names, content));
            }
        }
        Ok(())
    }

    /// Whether a stream that nothing calls a file begins like a program or an archive.
    fn carries(&self, object: &Object<'a>, budget: &mut Budget) -> Result<bool, Limit> {
        let Some((dictionary, stream)) = stream_of(object) else { return Ok(false) };
        if dictionary.is(b"Subtype", b"Image") || is_object_stream(dictionary) {
            return Ok(false);
        }
        let head = self.packing(dictionary, budget)?.measure(stream.octets, budget)?;
        let archives = [Kind::Zip, Kind::SevenZip, Kind::Rar, Kind::OleDocument].map(Some);
        let kind = Kind::of(&head);
        Ok(archives.contains(&kind) || kind.is_some_and(|kind| kind.danger().is_some()))
    }
}

/// A walk through the values of a file.
struct Judge<'j, 'a> {
    file: &'j File<'a>,
    actions: &'j Actions,
    budget: &'j mut Budget,
    contents: &'j mut Contents<'static>,
    /// Objects whose addresses are known, and whether as such.
    addresses: HashSet<(bool, u32)>,
}

impl<'a> Judge<'_, 'a> {
    /// Recursive, and [`MAX_NESTING`] ends it.
    fn value(&mut self, value: &Value<'a>, trigger: Trigger, nesting: usize) -> Result<(), Limit> {
        if MAX_NESTING < nesting {
            return Ok(());
        }
        match value {
            Value::Array(values) => values.iter().try_for_each(|inner| self.value(inner, trigger, nesting + 1)),
            Value::Dictionary(dictionary) => {
                let trigger = if actions::is_field(dictionary) { Trigger::Field } else { trigger };
                self.dictionary(dictionary, trigger)?;
                dictionary.0.iter().try_for_each(|(key, inner)| self.value(inner, trigger.within(key), nesting + 1))
            }
            _ => Ok(()),
        }
    }

    fn dictionary(&mut self, dictionary: &Dictionary<'a>, trigger: Trigger) -> Result<(), Limit> {
        if dictionary.is(b"S", b"JavaScript") && dictionary.get(b"JS").is_none() {
            judge_script("", trigger, self.contents);
        }
        if dictionary.is(b"S", b"Launch") {
            self.contents.remark("pdf_launch", Severity::Quarantine, "the PDF file starts a program");
        }
        if dictionary.is(b"Subtype", b"RichMedia") {
            let detail = "the PDF file embeds something that another program plays";
            self.contents.remark("embedded_object", Severity::Review, detail);
        }
        let is_remote = [&b"GoToR"[..], b"GoToE", b"ImportData"].iter().any(|kind| dictionary.is(b"S", kind));
        for (key, value) in &dictionary.0 {
            match key.as_ref() {
                b"JS" | b"Before" | b"After" | b"AfterPermsReady" => {
                    let scripts = self.file.texts(value, self.budget)?;
                    scripts.iter().for_each(|script| judge_script(script, trigger, self.contents));
                }
                b"F" if is_remote => self.share(value)?,
                b"URI" | b"F" => self.addresses(key, value)?,
                b"OpenAction" => self.opening(value)?,
                b"AA" => self.additional(value)?,
                b"Encrypt" if !matches!(value, Value::Other) => {
                    let detail = "the PDF file is encrypted, so that not all of it can be inspected";
                    self.contents.remark("encrypted_document", Severity::Review, detail);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn share(&mut self, value: &Value<'a>) -> Result<(), Limit> {
        let targets = self.file.texts(value, self.budget)?;
        self.shares(&targets);
        targets.into_iter().filter(|target| target.contains("://")).for_each(|target| self.contents.link(target));
        Ok(())
    }

    /// Whatever plays, shows or imports a file: to ask for it is to log in there.
    fn shares(&mut self, targets: &[String]) {
        if targets.iter().any(|target| target.replace('\\', "/").starts_with("//")) {
            let detail = "the PDF file opens a share of another machine, which is given the reader's credentials";
            self.contents.remark("remote_object", Severity::Quarantine, detail);
        }
    }

    /// A stream is no address.
    fn addresses(&mut self, key: &[u8], value: &Value<'a>) -> Result<(), Limit> {
        let is_text = |value| matches!(self.file.resolve(value), Some(Value::Text(_)));
        let is_known = matches!(value, Value::Reference(number) if !self.addresses.insert((key == b"URI", *number)));
        if is_known {
            return Ok(());
        }
        if is_text(value) || key == b"F" && matches!(value, Value::Reference(_)) && !self.is_stream(value) {
            let targets = self.file.texts(value, self.budget)?;
            if key == b"F" {
                self.shares(&targets);
            }
            let targets = targets.into_iter().filter(|target| key == b"URI" || target.contains("://"));
            targets.for_each(|target| self.contents.link(target));
        }
        Ok(())
    }

    fn is_stream(&self, value: &Value<'a>) -> bool {
        matches!(value, Value::Reference(number) if self.file.versions(*number).any(|object| object.stream.is_some()))
    }

    fn opening(&mut self, action: &Value<'a>) -> Result<(), Limit> {
        if self.actions.leaves(action, 0, self.budget)? {
            let detail = "the PDF file opens an address as soon as it is opened";
            self.contents.remark("pdf_opens_address", Severity::Quarantine, detail);
        }
        Ok(())
    }

    /// Actions that nobody clicks on.
    fn additional(&mut self, actions: &Value<'a>) -> Result<(), Limit> {
        let Some(Value::Dictionary(actions)) = self.file.resolve(actions) else { return Ok(()) };
        self.budget.take_reread(actions.0.len())?;
        let mut unasked = actions.0.iter().filter(|(key, _)| !actions::IS_ASKED_FOR.contains(&key.as_ref()));
        unasked.try_for_each(|(_, action)| self.opening(action))
    }
}

fn file_names(dictionary: &Dictionary<'_>) -> Vec<String> {
    let names = [&b"UF"[..], b"F", b"Unix", b"DOS", b"Mac"].into_iter().filter_map(|key| match dictionary.get(key) {
        Some(Value::Text(name)) => Some(text_string(name)),
        _ => None,
    });
    let mut names: Vec<String> = names.collect();
    names.dedup();
    names
}

/// UTF-16 with its byte order mark, or octets (§7.9.2.2).
fn text_string(octets: &[u8]) -> String {
    super::octets::text_of(octets).into_owned()
}
