//! Actions of a PDF file (ISO 32000-2 §12.6): who refers to them, and so when they happen.

use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

use gatepost::finding::Severity;

use super::{
    File, MAX_NESTING, file_names,
    objects::{Dictionary, Value},
    print::only_prints,
    text_string,
};
use crate::file::{
    budget::{Budget, Limit},
    contents::Contents,
};

/// Keys of additional actions that follow a click or what is typed (§12.6.3): the others happen by themselves.
pub(super) const IS_ASKED_FOR: [&[u8]; 7] = [b"D", b"U", b"X", b"Bl", b"K", b"F", b"V"];

/// Keys of additional actions that a field has while it is filled in.
const OF_FIELDS: [&[u8]; 10] = [b"K", b"F", b"V", b"C", b"D", b"U", b"E", b"X", b"Fo", b"Bl"];

/// Keys of actions that are no field's, wherever they stand.
const OF_OPENING: [&[u8]; 11] = [b"OpenAction", b"PO", b"PC", b"PV", b"PI", b"O", b"WC", b"WS", b"DS", b"WP", b"DP"];

/// When an action happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trigger {
    /// While a form is filled in, or on a click.
    Field,
    /// When the file or a page is opened, or nobody knows when.
    Opening,
}

impl Trigger {
    /// Of what stands behind a key.
    pub(super) fn within(self, key: &[u8]) -> Self {
        if OF_OPENING.contains(&key) { Self::Opening } else { self }
    }
}

/// Numbers of objects by who refers to them.
#[derive(Debug, Default)]
pub(super) struct Actions {
    /// Actions that only fields refer to, and those that anything else does.
    by_fields: HashSet<u32>,
    by_others: HashSet<u32>,
    /// Actions that lead to an address, or to another one that does.
    leaving: HashSet<u32>,
    /// Names of embedded files by the object that holds the file.
    pub(super) embedded: HashMap<u32, Rc<[String]>>,
    /// Streams of forms in XFA.
    pub(super) forms: HashSet<u32>,
    /// Which action is followed by which.
    next: HashMap<u32, Vec<u32>>,
    before: HashMap<u32, Vec<u32>>,
}

impl Actions {
    /// # Errors
    /// [`Limit::Rereading`].
    pub(super) fn of(file: &File<'_>, budget: &mut Budget) -> Result<Self, Limit> {
        let mut actions = Self::default();
        for object in &file.objects {
            actions.note(&object.value, file, 0, budget)?;
            actions.note_action(object.number, &object.value);
        }
        actions.by_fields = reached(&actions.by_fields, &actions.next);
        actions.by_others = reached(&actions.by_others, &actions.next);
        actions.leaving = reached(&actions.leaving, &actions.before);
        Ok(actions)
    }

    pub(super) fn trigger(&self, number: u32) -> Trigger {
        let is_fields_only = self.by_fields.contains(&number) && !self.by_others.contains(&number);
        if is_fields_only { Trigger::Field } else { Trigger::Opening }
    }

    /// Whether an action, or one that follows it, leads to an address.
    ///
    /// # Errors
    /// [`Limit::Rereading`].
    pub(super) fn leaves(&self, action: &Value<'_>, nesting: usize, budget: &mut Budget) -> Result<bool, Limit> {
        budget.take_reread(1 + entries(action))?;
        let following: Vec<&Value<'_>> = match action {
            _ if MAX_NESTING < nesting => return Ok(false),
            Value::Reference(number) => return Ok(self.leaving.contains(number)),
            Value::Dictionary(action) if is_leaving(action) => return Ok(true),
            Value::Dictionary(action) => {
                action.0.iter().filter(|(key, _)| key.as_ref() == b"Next").map(|(_, next)| next).collect()
            }
            Value::Array(actions) => actions.iter().collect(),
            _ => return Ok(false),
        };
        for next in following {
            if self.leaves(next, nesting + 1, budget)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn note_action(&mut self, number: u32, value: &Value<'_>) {
        let following = match value {
            Value::Dictionary(action) => {
                if is_leaving(action) {
                    self.leaving.insert(number);
                }
                action
                    .0
                    .iter()
                    .filter(|(key, _)| key.as_ref() == b"Next")
                    .flat_map(|(_, next)| within(next, 0))
                    .collect()
            }
            Value::Reference(_) => within(value, 0),
            _ => return,
        };
        for next in following {
            self.next.entry(number).or_default().push(next);
            self.before.entry(next).or_default().push(number);
        }
    }

    /// Recursive, and [`MAX_NESTING`] ends it.
    fn note(&mut self, value: &Value<'_>, file: &File<'_>, nesting: usize, budget: &mut Budget) -> Result<(), Limit> {
        match value {
            _ if MAX_NESTING < nesting => Ok(()),
            Value::Array(values) => values.iter().try_for_each(|inner| self.note(inner, file, nesting + 1, budget)),
            Value::Dictionary(dictionary) => {
                let is_field = is_field(dictionary);
                dictionary.0.iter().try_for_each(|(key, value)| {
                    self.note_key(key, value, is_field);
                    self.note_file(key, value, dictionary, file, budget)?;
                    self.note(value, file, nesting + 1, budget)
                })
            }
            _ => Ok(()),
        }
    }

    fn note_key(&mut self, key: &[u8], value: &Value<'_>, is_field: bool) {
        match (key, value) {
            (b"A", Value::Reference(number)) if is_field => drop(self.by_fields.insert(*number)),
            (b"AA", Value::Reference(number)) if is_field => drop(self.by_fields.insert(*number)),
            (b"AA", Value::Dictionary(actions)) => {
                for (key, action) in &actions.0 {
                    let is_fields = is_field && OF_FIELDS.contains(&key.as_ref());
                    let by = if is_fields { &mut self.by_fields } else { &mut self.by_others };
                    by.extend(within(action, 0));
                }
            }
            (b"AA", Value::Reference(number)) => drop(self.by_others.insert(*number)),
            (b"OpenAction" | b"Names" | b"JavaScript", _) => self.by_others.extend(within(value, 0)),
            _ => {}
        }
    }

    /// Many keys may stand beside the same names, and refer to the same list of files.
    fn note_file(
        &mut self,
        key: &[u8],
        value: &Value<'_>,
        holder: &Dictionary<'_>,
        file: &File<'_>,
        budget: &mut Budget,
    ) -> Result<(), Limit> {
        match key {
            b"EF" | b"RF" => {
                let names: Rc<[String]> = file_names(holder).into();
                budget.take_reread(holder.0.len() + names.iter().map(String::len).sum::<usize>())?;
                let numbers = file.held_by(value, budget)?;
                self.embedded.extend(numbers.into_iter().map(|number| (number, Rc::clone(&names))));
            }
            b"XFA" => self.forms.extend(file.held_by(value, budget)?),
            _ => {}
        }
        Ok(())
    }
}

impl File<'_> {
    /// References in a dictionary or an array, or in one that is referred to, and that reference itself.
    fn held_by(&self, value: &Value<'_>, budget: &mut Budget) -> Result<Vec<u32>, Limit> {
        let mut numbers = within(value, 0);
        if let Value::Reference(number) = value {
            for object in self.versions(*number).filter(|object| object.stream.is_none()) {
                let before = numbers.len();
                numbers.extend(within(&object.value, 0));
                budget.take_reread(1 + entries(&object.value) + numbers.len() - before)?;
            }
        }
        Ok(numbers)
    }
}

/// What a value holds itself, references or not.
fn entries(value: &Value<'_>) -> usize {
    match value {
        Value::Dictionary(dictionary) => dictionary.0.len(),
        Value::Array(values) => values.len(),
        _ => 0,
    }
}

/// References in a value. Recursive, and [`MAX_NESTING`] ends it.
fn within(value: &Value<'_>, nesting: usize) -> Vec<u32> {
    match value {
        _ if MAX_NESTING < nesting => Vec::new(),
        Value::Reference(number) => vec![*number],
        Value::Dictionary(dictionary) => {
            dictionary.0.iter().flat_map(|(_, value)| within(value, nesting + 1)).collect()
        }
        Value::Array(values) => values.iter().flat_map(|value| within(value, nesting + 1)).collect(),
        _ => Vec::new(),
    }
}

/// All that can be reached. Each is looked at once.
fn reached(from: &HashSet<u32>, edges: &HashMap<u32, Vec<u32>>) -> HashSet<u32> {
    let mut reached = from.clone();
    let mut waiting: Vec<u32> = from.iter().copied().collect();
    while let Some(number) = waiting.pop() {
        let next = edges.get(&number).map(Vec::as_slice).unwrap_or_default();
        waiting.extend(next.iter().filter(|next| reached.insert(**next)));
    }
    reached
}

/// What opens a file is no field, whatever it says.
pub(super) fn is_field(dictionary: &Dictionary<'_>) -> bool {
    let has = |keys: &[&[u8]]| keys.iter().any(|key| dictionary.get(key).is_some());
    (has(&[b"FT"]) || dictionary.is(b"Subtype", b"Widget")) && !has(&[b"OpenAction", b"Pages", b"MediaBox", b"Names"])
}

fn is_leaving(action: &Dictionary<'_>) -> bool {
    let is_remote = action.is(b"S", b"GoToR")
        && match action.get(b"F") {
            Some(Value::Dictionary(file)) => file_names(file).iter().any(|name| name.contains("://")),
            Some(Value::Text(name)) => text_string(name).contains("://"),
            _ => false,
        };
    is_remote || [&b"URI"[..], b"SubmitForm"].iter().any(|kind| action.is(b"S", kind))
}

/// What a form needs runs in most forms; what prints is in most labels.
pub(super) fn judge_script(script: &str, trigger: Trigger, contents: &mut Contents<'_>) {
    if trigger == Trigger::Field && calls_only(script, |function| function.starts_with("AF")) {
        return;
    }
    let (severity, detail) = match trigger {
        Trigger::Field => (Severity::Review, "a field of the PDF form runs a script"),
        Trigger::Opening if only_prints(script) => (Severity::Review, "the PDF file prints itself when it is opened"),
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
