//! What Outlook sends to those who it thinks have Outlook ([MS-OXTNEF]): a file `winmail.dat` with the text and the attachments.

use gatepost::content::link::{Place, links_of_html, links_of_text};

use super::{
    budget::{Budget, Limit},
    contents::{Contents, Inner},
    octets::{slice, text_of, u16_at, u32_at, usize_at, utf16_text},
    office::{compressed_rtf, outlook::named_property, rtf},
};

/// Signature and key.
const HEADER: usize = 6;

/// Properties of one list that are read; a message has about a hundred.
const MAX_PROPERTIES: usize = 10_000;

const ATTACHMENT_BEGINS: u32 = 0x0006_9002;
const ATTACHMENT_TITLE: u32 = 0x0001_8010;
const ATTACHMENT_DATA: u32 = 0x0006_800f;
const ATTACHMENT_PROPERTIES: u32 = 0x0006_9005;
const MESSAGE_PROPERTIES: u32 = 0x0006_9003;
const MESSAGE_BODY: u32 = 0x0002_800c;

const BODY: u16 = 0x1000;
const COMPRESSED_RTF: u16 = 0x1009;
const HTML: u16 = 0x1013;
const DATA: u16 = 0x3701;
const SHORT_NAME: u16 = 0x3704;
const LONG_NAME: u16 = 0x3707;

/// In front of an object: which interface reads it.
const INTERFACE: usize = 16;

/// One attachment, as far as it was read.
#[derive(Default)]
struct Attachment {
    names: Vec<String>,
    content: Option<Vec<u8>>,
}

pub(crate) fn read(octets: &[u8], budget: &mut Budget) -> Contents<'static> {
    let mut contents = Contents::default();
    if let Err(limit) = read_attributes(octets, budget, &mut contents) {
        contents.exceeded(limit);
    }
    contents
}

fn read_attributes(octets: &[u8], budget: &mut Budget, contents: &mut Contents<'static>) -> Result<(), Limit> {
    let mut rest = octets.get(HEADER..).unwrap_or_default();
    let mut attachment: Option<Attachment> = None;
    // Level, attribute, length, data, checksum.
    while let (Some(id), Some(length)) = (u32_at(rest, 1), usize_at(rest, 5)) {
        let data = rest.get(9..).unwrap_or_default();
        let (data, after) = data.split_at_checked(length).unwrap_or((data, &[]));
        rest = after.get(2..).unwrap_or_default();
        match id {
            ATTACHMENT_BEGINS => {
                finish(attachment.take(), contents);
                budget.take_entry()?;
                attachment = Some(Attachment::default());
            }
            ATTACHMENT_TITLE => attachment.get_or_insert_default().names.push(until_zero(data)),
            ATTACHMENT_DATA => {
                budget.take_octets(data.len())?;
                attachment.get_or_insert_default().content = Some(data.to_vec());
            }
            ATTACHMENT_PROPERTIES => of_attachment(data, attachment.get_or_insert_default(), budget)?,
            MESSAGE_PROPERTIES => of_message(data, budget, contents)?,
            MESSAGE_BODY => contents.links.extend(links_of_text(&text_of(data), Place::Text)),
            _ => {}
        }
    }
    finish(attachment, contents);
    Ok(())
}

fn finish(attachment: Option<Attachment>, contents: &mut Contents<'static>) {
    let Some(Attachment { mut names, content }) = attachment else { return };
    names.dedup();
    contents.inner.push(Inner { content: content.map(Into::into), ..Inner::named(names) });
}

fn of_attachment(data: &[u8], attachment: &mut Attachment, budget: &mut Budget) -> Result<(), Limit> {
    for property in properties(data)? {
        match property.id {
            LONG_NAME | SHORT_NAME => attachment.names.push(property.text()),
            // A message in the message is of the same form, and an object a compound file.
            DATA if property.kind == OBJECT => {
                let object = property.value.get(INTERFACE..).unwrap_or_default();
                budget.take_octets(object.len())?;
                attachment.content = Some(object.to_vec());
            }
            DATA => {
                budget.take_octets(property.value.len())?;
                attachment.content = Some(property.value.to_vec());
            }
            _ => {}
        }
    }
    Ok(())
}

fn of_message(data: &[u8], budget: &mut Budget, contents: &mut Contents<'static>) -> Result<(), Limit> {
    for property in properties(data)? {
        match property.id {
            BODY => contents.links.extend(links_of_text(&property.text(), Place::Text)),
            HTML => contents.links.extend(links_of_html(&text_of(property.value)).links),
            COMPRESSED_RTF => {
                let text = compressed_rtf::unpack(property.value, budget)?;
                contents.append(rtf::read(&text, budget));
            }
            0x8000.. if matches!(property.kind, STRING_8 | UNICODE) => named_property(&property.text(), contents),
            _ => {}
        }
    }
    Ok(())
}

/// One value of a property ([MS-OXTNEF] §2.1.3.4).
struct Property<'a> {
    id: u16,
    kind: u16,
    value: &'a [u8],
}

const OBJECT: u16 = 0x000d;
const STRING_8: u16 = 0x001e;
const UNICODE: u16 = 0x001f;
const BINARY: u16 = 0x0102;
const IS_MULTIPLE: u16 = 0x1000;

impl Property<'_> {
    fn text(&self) -> String {
        let text = if self.kind == UNICODE { utf16_text(self.value) } else { text_of(self.value).into_owned() };
        text.trim_end_matches('\0').to_owned()
    }
}

/// Those up to the first that cannot be read.
fn properties(data: &[u8]) -> Result<Vec<Property<'_>>, Limit> {
    let mut rest = data.get(4..).unwrap_or_default();
    let mut properties = Vec::new();
    for _ in 0..usize_at(data, 0).unwrap_or_default() {
        if property(&mut rest, &mut properties).is_none() {
            break;
        }
        if MAX_PROPERTIES < properties.len() {
            return Err(Limit::Objects);
        }
    }
    Ok(properties)
}

fn property<'a>(rest: &mut &'a [u8], properties: &mut Vec<Property<'a>>) -> Option<()> {
    let (kind, id) = (u16_at(rest, 0)?, u16_at(rest, 2)?);
    *rest = rest.get(4..)?;
    if 0x8000 <= id {
        skip_name(rest)?;
    }
    let single = kind & !IS_MULTIPLE;
    let is_variable = matches!(single, OBJECT | STRING_8 | UNICODE | BINARY);
    let count = if is_variable || kind != single { take_number(rest)? } else { 1 };
    for _ in 0..count.min(MAX_PROPERTIES + 1) {
        let length = match single {
            _ if is_variable => take_number(rest)?,
            0x0005..=0x0007 | 0x0014 | 0x0040 => 8,
            0x0048 => 16,
            _ => 4,
        };
        let value = slice(rest, 0, length)?;
        properties.push(Property { id, kind: single, value });
        *rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(())
}

/// A named property says of which set it is, and its number or its name there.
fn skip_name(rest: &mut &[u8]) -> Option<()> {
    *rest = rest.get(16..)?;
    let length = match take_number(rest)? {
        0 => 4,
        _ => take_number(rest)?.checked_next_multiple_of(4)?,
    };
    *rest = rest.get(length..)?;
    Some(())
}

fn take_number(rest: &mut &[u8]) -> Option<usize> {
    let number = usize_at(rest, 0)?;
    *rest = rest.get(4..)?;
    Some(number)
}

fn until_zero(octets: &[u8]) -> String {
    text_of(octets.split(|&octet| octet == 0).next().unwrap_or_default()).into_owned()
}
