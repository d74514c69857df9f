//! The parts of one message, from the outermost to those of attached messages, decoded.

use std::borrow::Cow;

use mail_parser::decoders::{base64::base64_decode, quoted_printable::quoted_printable_decode};
use mail_parser::{HeaderName, Message, MessagePart, MimeHeaders, PartType};

use crate::file::name::FileName;

/// How much of a message is looked at. What lies beyond is a finding, never silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Multiparts and attached messages around one part.
    pub depth: usize,
    /// Parts of the message and of all messages in it.
    pub parts: usize,
}

impl Limits {
    pub const DEFAULT: Self = Self { depth: 16, parts: 1_000 };
}

/// Different names of one part that are judged; one is usual, two happen.
pub(crate) const MAX_NAMES: usize = 8;

/// One part that is no multipart, with all that it says about itself.
pub(crate) struct Leaf<'a> {
    pub(crate) location: String,
    pub(crate) names: Vec<FileName>,
    /// `type/subtype`, lower case; empty when nothing is declared.
    pub(crate) declared: String,
    pub(crate) content: Cow<'a, [u8]>,
    /// An attached message that the parser left as it was.
    pub(crate) unopened: bool,
}

/// Whether all of a message was within the limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    Cut,
}

/// One message on the way through the nesting.
struct Enclosed<'x> {
    message: Message<'x>,
    /// Part path of the message, empty for the outermost.
    path: String,
    depth: usize,
}

/// Where a part stands. `path` is empty for the multipart that is a whole message.
#[derive(Clone, Default)]
struct Place {
    path: String,
    depth: usize,
}

/// Calls `visit` with every part, of the message and of all messages in it, that is no multipart.
pub(crate) fn visit_leaves(outermost: Message<'_>, limits: Limits, mut visit: impl FnMut(&Leaf<'_>)) -> Extent {
    let mut extent = Extent::Whole;
    let mut room = limits.parts;
    let mut waiting = vec![Enclosed { message: outermost, path: String::new(), depth: 0 }];
    while let Some(mut enclosed) = waiting.pop() {
        let places = places(&enclosed, room);
        let parts = enclosed.message.parts.len();
        if parts > room || places.iter().any(|place| place.depth > limits.depth) {
            extent = Extent::Cut;
        }
        leaves(&enclosed.message, &places, limits.depth).for_each(|leaf| visit(&leaf));
        room = room.saturating_sub(parts);
        waiting.extend(take_enclosed(&mut enclosed, &places));
    }
    extent
}

fn leaves<'a>(message: &'a Message<'_>, places: &'a [Place], depth: usize) -> impl Iterator<Item = Leaf<'a>> {
    let inside = message.parts.iter().zip(places).filter(move |(_, place)| place.depth <= depth);
    inside.filter(|(part, _)| !part.is_multipart()).map(|(part, place)| Leaf::of(message, part, place))
}

impl<'a> Leaf<'a> {
    fn of(message: &'a Message<'_>, part: &'a MessagePart<'_>, place: &Place) -> Self {
        let names = names(part);
        let content = content(message, part);
        Self {
            location: location(&place.path, names.first()),
            declared: declared_type(part),
            unopened: is_unopened(part),
            names,
            content,
        }
    }
}

/// Takes the attached messages out of their parent, also where no limit lets them be read: dropping a deep nesting
/// by recursion would overflow the stack.
fn take_enclosed<'x>(enclosed: &mut Enclosed<'x>, places: &[Place]) -> Vec<Enclosed<'x>> {
    let bodies = enclosed.message.parts.iter_mut().enumerate().map(|(id, part)| (id, std::mem::take(&mut part.body)));
    let attached = bodies.filter_map(|(id, body)| match body {
        PartType::Message(message) => {
            let place = places.get(id).cloned().unwrap_or_default();
            Some(Enclosed { message, path: place.path, depth: place.depth.saturating_add(1) })
        }
        _ => None,
    });
    attached.collect()
}

/// The places of the first `room` parts, in the order of the parts: the parser puts a multipart before its children.
fn places(enclosed: &Enclosed<'_>, room: usize) -> Vec<Place> {
    let all = &enclosed.message.parts;
    let parts = all.get(..room).unwrap_or(all);
    let root_is_multipart = parts.first().is_some_and(MessagePart::is_multipart);
    let root = Place { path: enclosed.path.clone(), depth: enclosed.depth };
    let alone = Place { path: below(&root.path, 1), depth: root.depth };
    let mut places = vec![if root_is_multipart { root } else { alone }; parts.len()];
    for (id, part) in parts.iter().enumerate() {
        let parent = places.get(id).cloned().unwrap_or_default();
        let children = part.sub_parts().unwrap_or_default().iter().take(room);
        for (number, &child) in (1..).zip(children) {
            if let Some(place) = places.get_mut(child as usize) {
                *place = Place { path: below(&parent.path, number), depth: parent.depth.saturating_add(1) };
            }
        }
    }
    places
}

fn below(path: &str, number: usize) -> String {
    /// Longer than any path within the default depth; keeps what a deep nesting costs linear.
    const LONGEST_PATH: usize = 100;
    if path.is_empty() {
        return number.to_string();
    }
    if path.len() > LONGEST_PATH {
        return path.to_owned();
    }
    format!("{path}.{number}")
}

/// All names of a part, one more than the limit at most: programs differ in which they use, so each is judged.
fn names(part: &MessagePart<'_>) -> Vec<FileName> {
    let fields = part.headers.iter().rev().filter(|field| has_parameters(&field.name));
    let parameters = fields.filter_map(|field| field.value.as_content_type()?.attributes()).flatten();
    let mut names: Vec<FileName> = Vec::new();
    for parameter in parameters.filter(|parameter| matches!(parameter.name.as_ref(), "filename" | "name")) {
        let name = FileName::new(&parameter.value);
        if !names.contains(&name) {
            names.push(name);
        }
        if names.len() > MAX_NAMES {
            break;
        }
    }
    names
}

fn has_parameters(field: &HeaderName<'_>) -> bool {
    matches!(field, HeaderName::ContentDisposition | HeaderName::ContentType)
}

fn declared_type(part: &MessagePart<'_>) -> String {
    let Some(declared) = part.content_type() else { return String::new() };
    let shown = FileName::new(&format!("{}/{}", declared.ctype(), declared.subtype().unwrap_or_default())).shown();
    shown.to_ascii_lowercase()
}

/// The parser opens messages that are encoded (which RFC 2046 §5.2.1 forbids) three deep and only if the encoding is
/// sound. Messages that are not encoded are always opened, or are nothing but a header.
fn is_unopened(part: &MessagePart<'_>) -> bool {
    let encoding = part.content_transfer_encoding().unwrap_or_default().to_ascii_lowercase();
    matches!(declared_type(part).as_str(), "message/rfc822" | "message/global")
        && matches!(encoding.as_str(), "base64" | "quoted-printable")
        && !part.is_message()
}

fn location(path: &str, name: Option<&FileName>) -> String {
    name.map_or_else(|| path.to_owned(), |name| format!("{path} {}", name.shown()))
}

/// The decoded bytes. Text is decoded again from the raw message, since the parser has turned it into characters,
/// and so is what it could not decode, since mail programs overlook faults that it does not.
fn content<'a>(message: &'a Message<'_>, part: &'a MessagePart<'_>) -> Cow<'a, [u8]> {
    match &part.body {
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) if !part.is_encoding_problem => Cow::Borrowed(bytes),
        PartType::Message(_) | PartType::Multipart(_) => Cow::Borrowed(&[]),
        _ => decoded(part, raw(message, part)),
    }
}

fn raw<'a>(message: &'a Message<'_>, part: &MessagePart<'_>) -> &'a [u8] {
    message.raw_message.get(part.offset_body as usize..part.offset_end as usize).unwrap_or_default()
}

fn decoded<'a>(part: &MessagePart<'_>, raw: &'a [u8]) -> Cow<'a, [u8]> {
    let encoding = part.content_transfer_encoding().unwrap_or_default();
    let bytes = if encoding.eq_ignore_ascii_case("base64") {
        let alphabet_only: Vec<u8> = raw.iter().copied().filter(|&byte| is_base64(byte)).collect();
        base64_decode(&alphabet_only)
    } else if encoding.eq_ignore_ascii_case("quoted-printable") {
        quoted_printable_decode(raw)
    } else {
        None
    };
    bytes.map_or(Cow::Borrowed(raw), Cow::Owned)
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}
