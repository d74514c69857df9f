//! Messages of Outlook ([MS-OXMSG]): their text and their attachments, those of messages in them included.

use gatepost::content::link::{Place, links_of_html, links_of_text};

use super::{
    compound::{CompoundFile, Object},
    compressed_rtf,
    relations::{Target, remote},
    rtf,
};
use crate::file::{
    budget::{Budget, Limit},
    contents::{Contents, Inner},
    octets::{text_of, utf16_text},
};

/// Streams of properties have the number and the type of the property in their names (§2.1.3).
const PROPERTY: &str = "__substg1.0_";

pub(super) fn read(
    file: &CompoundFile<'_>,
    budget: &mut Budget,
    contents: &mut Contents<'static>,
) -> Result<(), Limit> {
    let is_attachment = |object: &Object| !object.is_stream && starts_with(&object.name, "__attach_version1.0_");
    for (at, _) in file.objects.iter().enumerate().filter(|(_, object)| is_attachment(object)) {
        attachment(file, at, budget, contents)?;
    }
    for object in file.objects.iter().filter(|object| object.is_stream && starts_with(&object.name, PROPERTY)) {
        let property = object.name.get(PROPERTY.len()..).unwrap_or_default().to_ascii_uppercase();
        match property.as_str() {
            "1000001F" => {
                let text = utf16_text(&file.stream(object, budget)?);
                contents.links.extend(links_of_text(&text, Place::Text));
            }
            "1000001E" => contents.links.extend(links_of_text(&text_of(&file.stream(object, budget)?), Place::Text)),
            "10130102" => contents.links.extend(links_of_html(&text_of(&file.stream(object, budget)?)).links),
            "10090102" => {
                let text = compressed_rtf::unpack(&file.stream(object, budget)?, budget)?;
                contents.append(rtf::read(&text, budget));
            }
            // Properties with a name, of which one is the sound of a reminder ([MS-OXORMDR] §2.2.1.6).
            _ if property.starts_with('8') && property.ends_with("001F") => {
                named_property(&utf16_text(&file.stream(object, budget)?), contents);
            }
            _ if property.starts_with('8') && property.ends_with("001E") => {
                named_property(&text_of(&file.stream(object, budget)?), contents);
            }
            _ => {}
        }
    }
    Ok(())
}

/// A path to another's share as the whole of a property: Outlook asks for it by itself.
pub(crate) fn named_property(value: &str, contents: &mut Contents<'_>) {
    let value = value.trim_end_matches('\0');
    if value.starts_with("\\\\") && Target::of(value) == Target::Share {
        contents.link(value);
        remote(
            contents,
            "the message plays a sound from another's share, which is asked with the reader's credentials",
        );
    }
}

fn starts_with(name: &str, start: &str) -> bool {
    name.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start))
}

/// Programs differ in which of two names they use.
fn attachment(
    file: &CompoundFile<'_>,
    at: usize,
    budget: &mut Budget,
    contents: &mut Contents<'static>,
) -> Result<(), Limit> {
    budget.take_entry()?;
    let stream = |property: &str| {
        let name = format!("{PROPERTY}{property}");
        file.within(at).find(|object| object.name.eq_ignore_ascii_case(&name))
    };
    let content = stream("37010102").map(|object| file.stream(object, budget)).transpose()?;
    let mut names = Vec::new();
    for property in ["3707001F", "3704001F", "3707001E", "3704001E"] {
        let Some(object) = stream(property) else { continue };
        let name = file.stream(object, budget)?;
        names.push(if property.ends_with('F') { utf16_text(&name) } else { text_of(&name).into_owned() });
    }
    contents.inner.push(Inner { content: content.map(Into::into), ..Inner::named(names) });
    Ok(())
}
