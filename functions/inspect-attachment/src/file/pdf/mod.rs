//! PDF files: what they do when they are opened, what they carry, and where they lead.

mod objects;
mod streams;

use std::collections::{HashMap, HashSet};

use gatepost::finding::Severity;

use self::objects::{Dictionary, Object, Value, objects, packed_objects};
use super::{
    budget::{Budget, Limit},
    contents::{Contents, Inner},
};

/// Values within values that are followed when judging.
const MAX_NESTING: usize = 70;

pub(crate) fn read(octets: &[u8], budget: &mut Budget) -> Contents<'static> {
    let mut contents = Contents::default();
    if let Err(limit) = read_file(octets, budget, &mut contents) {
        contents.exceeded(limit);
    }
    contents
}

fn read_file(octets: &[u8], budget: &mut Budget, contents: &mut Contents<'static>) -> Result<(), Limit> {
    let (plain, mut is_cut) = objects(octets);
    let mut unpacked = Vec::new();
    for object in &plain {
        if let (Value::Dictionary(dictionary), Some(stream)) = (&object.value, object.stream)
            && dictionary.is(b"Type", b"ObjStm")
        {
            let [first, count] = [&b"First"[..], b"N"].map(|key| number(dictionary.get(key)));
            unpacked.push((streams::unpack(dictionary, stream, budget)?, first, count));
        }
    }
    let mut file = File { objects: plain, ..File::default() };
    for (octets, first, count) in &unpacked {
        let (packed, is_packed_cut) = packed_objects(octets, *first, *count);
        is_cut |= is_packed_cut;
        file.objects.extend(packed);
    }
    file.index();
    file.judge(budget, contents)?;
    if is_cut { Err(Limit::Objects) } else { file.streams(budget, contents) }
}

fn number(value: Option<&Value<'_>>) -> usize {
    if let Some(Value::Number(number)) = value { *number } else { 0 }
}

/// When an action happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trigger {
    /// While a form is filled in, or on a click.
    Field,
    /// When the file or a page is opened, or nobody knows when.
    Opening,
}

#[derive(Default)]
struct File<'a> {
    objects: Vec<Object<'a>>,
    places: HashMap<u32, usize>,
    /// Actions that only fields refer to, and those that anything else does.
    by_fields: HashSet<u32>,
    by_others: HashSet<u32>,
    /// Names of embedded files by the object that holds the file.
    embedded: HashMap<u32, Vec<String>>,
}

impl<'a> File<'a> {
    fn index(&mut self) {
        self.places = self.objects.iter().enumerate().map(|(place, object)| (object.number, place)).collect();
        let mut found = Self::default();
        for object in &self.objects {
            found.note(&object.value, 0);
        }
        (self.by_fields, self.by_others, self.embedded) = (found.by_fields, found.by_others, found.embedded);
    }

    /// Who refers to which action, and which object is an embedded file.
    fn note(&mut self, value: &Value<'a>, nesting: usize) {
        let Value::Dictionary(dictionary) = value else {
            return each(value, nesting, |inner| self.note(inner, nesting + 1));
        };
        let is_field = is_field(dictionary);
        for (key, value) in &dictionary.0 {
            match (key.as_ref(), value) {
                (b"A", Value::Reference(number)) if is_field => drop(self.by_fields.insert(*number)),
                (b"AA", Value::Reference(number)) if is_field => drop(self.by_fields.insert(*number)),
                (b"AA", Value::Dictionary(actions)) if is_field => self.by_fields.extend(references(actions)),
                (b"AA", Value::Dictionary(actions)) => self.by_others.extend(references(actions)),
                (b"OpenAction" | b"AA", Value::Reference(number)) => drop(self.by_others.insert(*number)),
                (b"EF", Value::Dictionary(files)) => {
                    let names = file_names(dictionary);
                    self.embedded.extend(references(files).map(|number| (number, names.clone())));
                }
                _ => {}
            }
        }
        each(value, nesting, |inner| self.note(inner, nesting + 1));
    }

    fn judge(&self, budget: &mut Budget, contents: &mut Contents<'static>) -> Result<(), Limit> {
        for object in &self.objects {
            let is_fields_only = self.by_fields.contains(&object.number) && !self.by_others.contains(&object.number);
            let trigger = if is_fields_only { Trigger::Field } else { Trigger::Opening };
            self.judge_value(&object.value, trigger, 0, budget, contents)?;
        }
        Ok(())
    }

    fn judge_value(
        &self,
        value: &Value<'_>,
        trigger: Trigger,
        nesting: usize,
        budget: &mut Budget,
        contents: &mut Contents<'static>,
    ) -> Result<(), Limit> {
        let mut trigger = trigger;
        if let Value::Dictionary(dictionary) = value {
            if is_field(dictionary) {
                trigger = Trigger::Field;
            }
            self.judge_dictionary(dictionary, trigger, budget, contents)?;
        }
        let mut outcome = Ok(());
        each(value, nesting, |inner| {
            if outcome.is_ok() {
                outcome = self.judge_value(inner, trigger, nesting + 1, budget, contents);
            }
        });
        outcome
    }

    fn judge_dictionary(
        &self,
        dictionary: &Dictionary<'_>,
        trigger: Trigger,
        budget: &mut Budget,
        contents: &mut Contents<'static>,
    ) -> Result<(), Limit> {
        if dictionary.is(b"S", b"JavaScript") || dictionary.get(b"JS").is_some() {
            let script = self.text(dictionary.get(b"JS"), budget)?;
            judge_script(&script, trigger, contents);
        }
        if dictionary.is(b"S", b"Launch") {
            contents.remark("pdf_launch", Severity::Quarantine, "the PDF file starts a program");
        }
        if dictionary.is(b"S", b"GoToR") || dictionary.is(b"S", b"GoToE") || dictionary.is(b"S", b"ImportData") {
            let target = self.text(dictionary.get(b"F"), budget)?.replace('\\', "/");
            if target.starts_with("//") {
                let detail = "the PDF file opens a share of another machine, which is given the reader's credentials";
                contents.remark("remote_object", Severity::Quarantine, detail);
            }
        }
        for key in [&b"URI"[..], b"F"] {
            let is_address = |text: &String| key == b"URI" || text.contains("://");
            if let Some(Value::Text(text)) = dictionary.get(key)
                && let Some(address) = Some(text_string(text)).filter(is_address)
            {
                contents.link(address);
            }
        }
        if self.opens_address(dictionary.get(b"OpenAction")) {
            let detail = "the PDF file opens an address as soon as it is opened";
            contents.remark("pdf_opens_address", Severity::Quarantine, detail);
        }
        if dictionary.is(b"Subtype", b"RichMedia") {
            let detail = "the PDF file embeds something that another program plays";
            contents.remark("embedded_object", Severity::Review, detail);
        }
        if dictionary.get(b"Encrypt").is_some_and(|value| !matches!(value, Value::Other)) {
            let detail = "the PDF file is encrypted, so that not all of it can be inspected";
            contents.remark("encrypted_document", Severity::Review, detail);
        }
        Ok(())
    }

    fn object(&self, number: u32) -> Option<&Object<'a>> {
        self.places.get(&number).and_then(|place| self.objects.get(*place))
    }

    fn opens_address(&self, action: Option<&Value<'_>>) -> bool {
        let action = match action {
            Some(Value::Reference(number)) => self.object(*number).map(|object| &object.value),
            action => action,
        };
        let leads_out = |kind: &&[u8]| matches!(action, Some(Value::Dictionary(action)) if action.is(b"S", kind));
        [&b"URI"[..], b"SubmitForm"].iter().any(leads_out)
    }

    /// Of a text, or of the text or stream that is referred to.
    fn text(&self, value: Option<&Value<'_>>, budget: &mut Budget) -> Result<String, Limit> {
        let object = match value {
            Some(Value::Text(text)) => return Ok(text_string(text)),
            Some(Value::Dictionary(file)) => {
                return Ok(file_names(file).into_iter().next().unwrap_or_default());
            }
            Some(Value::Reference(number)) => self.object(*number),
            _ => None,
        };
        match object.map(|object| (&object.value, object.stream)) {
            Some((Value::Text(text), _)) => Ok(text_string(text)),
            Some((Value::Dictionary(dictionary), Some(stream))) => {
                Ok(text_string(&streams::unpack(dictionary, stream, budget)?))
            }
            _ => Ok(String::new()),
        }
    }

    /// Embedded files are files of their own; of the others only the size matters, and that of pictures is no secret.
    fn streams(&self, budget: &mut Budget, contents: &mut Contents<'static>) -> Result<(), Limit> {
        for object in &self.objects {
            let (Value::Dictionary(dictionary), Some(stream)) = (&object.value, object.stream) else { continue };
            let names = self.embedded.get(&object.number);
            if names.is_some() || dictionary.is(b"Type", b"EmbeddedFile") {
                budget.take_entry()?;
                let content = streams::unpack(dictionary, stream, budget)?;
                let names = names.cloned().unwrap_or_else(|| vec![String::new()]);
                contents.inner.push(Inner { names, content: Some(content.into()) });
            } else if !dictionary.is(b"Subtype", b"Image") && !dictionary.is(b"Type", b"ObjStm") {
                streams::measure(dictionary, stream, budget)?;
            }
        }
        Ok(())
    }
}

/// Calls `visit` with what is directly within.
fn each<'v, 'a>(value: &'v Value<'a>, nesting: usize, mut visit: impl FnMut(&'v Value<'a>)) {
    if MAX_NESTING < nesting {
        return;
    }
    match value {
        Value::Dictionary(dictionary) => dictionary.0.iter().for_each(|(_, value)| visit(value)),
        Value::Array(values) => values.iter().for_each(visit),
        _ => {}
    }
}

fn is_field(dictionary: &Dictionary<'_>) -> bool {
    dictionary.get(b"FT").is_some() || dictionary.is(b"Subtype", b"Widget")
}

fn references(dictionary: &Dictionary<'_>) -> impl Iterator<Item = u32> {
    dictionary.0.iter().filter_map(|(_, value)| if let Value::Reference(number) = value { Some(*number) } else { None })
}

fn file_names(dictionary: &Dictionary<'_>) -> Vec<String> {
    let names = [&b"UF"[..], b"F"].into_iter().filter_map(|key| match dictionary.get(key) {
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

/// What a form needs runs in most forms; what prints is in most labels.
fn judge_script(script: &str, trigger: Trigger, contents: &mut Contents<'_>) {
    if trigger == Trigger::Field && calls_only(script, |function| function.starts_with("AF")) {
        return;
    }
    let (severity, detail) = match trigger {
        Trigger::Field => (Severity::Review, "a field of the PDF form runs a script"),
        Trigger::Opening if calls_only(script, |function| matches!(function, "print" | "this.print")) => {
            (Severity::Review, "the PDF file prints itself when it is opened")
        }
        Trigger::Opening => (Severity::Quarantine, "the PDF file runs a script (JavaScript) when it is opened"),
    };
    contents.remark("pdf_script", severity, detail);
}

/// Whether a script is nothing but calls of such functions with plain arguments.
fn calls_only(script: &str, is_known: impl Fn(&str) -> bool) -> bool {
    let mut statements = script.split(';').map(str::trim).filter(|statement| !statement.is_empty()).peekable();
    let is_call = |statement: &str| {
        let Some((function, arguments)) = statement.split_once('(') else { return false };
        arguments.ends_with(')')
            && !arguments.trim_end_matches(')').contains(['(', '=', '+'])
            && is_known(function.trim())
    };
    statements.peek().is_some() && statements.all(is_call)
}
